// The device's memory, clock and limits.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <string>

#include "dtype.hpp"

namespace gpu_bench {

void check(cudaError_t result, const char *what);

class DeviceBuffer {
  public:
    explicit DeviceBuffer(int64_t bytes);
    ~DeviceBuffer() { static_cast<void>(cudaFree(data_)); }
    DeviceBuffer(const DeviceBuffer &) = delete;
    DeviceBuffer &operator=(const DeviceBuffer &) = delete;
    [[nodiscard]] void *data() const { return data_; }
    [[nodiscard]] int64_t bytes() const { return bytes_; }
    /// Elements uniform on [-1, 1), a function of their place and of `salt`.
    void fill(xconv::Dtype dtype, uint64_t salt);

  private:
    int64_t bytes_;
    void *data_ = nullptr;
};

/// Seconds of one call, by the device's own clock.
struct Timing {
    double median = 0;
    double spread = 0; // (largest - smallest) / median
    int calls = 0;
};

/// Times what `call` queues on `stream`, over `repetitions` series of calls that
/// last at least `series` seconds each.
Timing time_calls(cudaStream_t stream, const std::function<void()> &call, int repetitions,
                  double series);

/// What the device can do, measured.
struct Limits {
    std::string name;
    double copy_bytes;    // per second, read and written
    double float32_flops; // per second, of a large product by cuBLAS without TF32
    int64_t free_memory;
};
Limits measure_limits(cudaStream_t stream);

} // namespace gpu_bench
