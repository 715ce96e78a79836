#include "device.hpp"

#include <cublas_v2.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace gpu_bench {

void check(cudaError_t result, const char *what)
{
    if (result != cudaSuccess) {
        throw std::runtime_error(fmt::format("{}: {}", what, cudaGetErrorString(result)));
    }
}

DeviceBuffer::DeviceBuffer(int64_t bytes) : bytes_(bytes)
{
    check(cudaMalloc(&data_, static_cast<size_t>(std::max<int64_t>(bytes, 1))), "cudaMalloc");
}

void DeviceBuffer::fill(xconv::Dtype dtype, uint64_t salt)
{
    xconv::with_tensor_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        // A piece is drawn once and copied again and again, shifted by an odd number.
        const auto count = bytes_ / static_cast<int64_t>(sizeof(T));
        std::vector<T> piece(static_cast<size_t>(std::min<int64_t>(count, 1048573)));
        for (size_t i = 0; i < piece.size(); ++i) {
            uint64_t h = (i + salt) * 0x9e3779b97f4a7c15U;
            h = (h ^ (h >> 32U)) * 0xd6e8feb86659fd93U;
            piece[i] = static_cast<T>(
                static_cast<xconv::ComputeType<T>>(static_cast<float>(h >> 40U) * 0x1p-23F - 1.0F));
        }
        const auto step = static_cast<int64_t>(piece.size() * sizeof(T));
        for (int64_t at = 0; at < bytes_ && step > 0; at += step) {
            check(cudaMemcpy(static_cast<char *>(data_) + at, piece.data(),
                             static_cast<size_t>(std::min(step, bytes_ - at)),
                             cudaMemcpyHostToDevice),
                  "cudaMemcpy");
        }
    });
}

namespace {

class Event {
  public:
    Event() { check(cudaEventCreate(&event_), "cudaEventCreate"); }
    ~Event() { static_cast<void>(cudaEventDestroy(event_)); }
    Event(const Event &) = delete;
    Event &operator=(const Event &) = delete;
    void record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "cudaEventRecord"); }
    [[nodiscard]] double seconds_since(const Event &start) const
    {
        float milliseconds = 0;
        check(cudaEventSynchronize(event_), "cudaEventSynchronize");
        check(cudaEventElapsedTime(&milliseconds, start.event_, event_), "cudaEventElapsedTime");
        return milliseconds * 1e-3;
    }

  private:
    cudaEvent_t event_ = nullptr;
};

double time_series(cudaStream_t stream, const std::function<void()> &call, int calls)
{
    Event start;
    Event stop;
    start.record(stream);
    for (int i = 0; i < calls; ++i) {
        call();
    }
    stop.record(stream);
    return stop.seconds_since(start) / calls;
}

} // namespace

Timing time_calls(cudaStream_t stream, const std::function<void()> &call, int repetitions,
                  double series)
{
    call(); // libraries load their code
    const double once = std::max(time_series(stream, call, 2), 1e-7);
    Timing timing;
    timing.calls = static_cast<int>(std::clamp(series / once, 1.0, 10000.0));
    std::vector<double> seconds(static_cast<size_t>(repetitions));
    for (double &each : seconds) {
        each = time_series(stream, call, timing.calls);
    }
    std::sort(seconds.begin(), seconds.end());
    timing.median = seconds[seconds.size() / 2];
    timing.spread = (seconds.back() - seconds.front()) / timing.median;
    return timing;
}

Limits measure_limits(cudaStream_t stream)
{
    Limits limits;
    int device = 0;
    cudaDeviceProp properties{};
    check(cudaGetDevice(&device), "cudaGetDevice");
    check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
    limits.name = properties.name;

    constexpr int64_t bytes = int64_t{1} << 30;
    {
        const DeviceBuffer from(bytes);
        const DeviceBuffer to(bytes);
        const auto copy = [&] {
            check(cudaMemcpyAsync(to.data(), from.data(), static_cast<size_t>(bytes),
                                  cudaMemcpyDeviceToDevice, stream),
                  "cudaMemcpyAsync");
        };
        limits.copy_bytes = 2.0 * bytes / time_calls(stream, copy, 5, 0.05).median;
    }

    constexpr int size = 6144;
    DeviceBuffer a(int64_t{4} * size * size);
    DeviceBuffer b(int64_t{4} * size * size);
    const DeviceBuffer c(int64_t{4} * size * size);
    a.fill(xconv::Dtype::f32, 1);
    b.fill(xconv::Dtype::f32, 2);
    cublasHandle_t blas = nullptr;
    if (cublasCreate(&blas) != CUBLAS_STATUS_SUCCESS ||
        cublasSetStream(blas, stream) != CUBLAS_STATUS_SUCCESS) {
        throw std::runtime_error("cuBLAS cannot be used");
    }
    const auto product = [&] {
        const float one = 1;
        const float zero = 0;
        if (cublasSgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, size, size, size, &one,
                        static_cast<const float *>(a.data()), size,
                        static_cast<const float *>(b.data()), size, &zero,
                        static_cast<float *>(c.data()), size) != CUBLAS_STATUS_SUCCESS) {
            throw std::runtime_error("cublasSgemm failed");
        }
    };
    limits.float32_flops = 2.0 * size * size * size / time_calls(stream, product, 5, 0.05).median;
    static_cast<void>(cublasDestroy(blas));

    size_t free = 0;
    size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    limits.free_memory = static_cast<int64_t>(free);
    return limits;
}

} // namespace gpu_bench
