// One convolution on the device, and what its rows time.
#pragma once

#include <xconv/xconv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../case.hpp"
#include "device.hpp"

namespace gpu_bench {

/// One thing that is timed on a case, with what it has to do at the least.
struct Row {
    std::string name;
    std::string label; // which engine, which order
    std::function<void()> call;
    double bytes = 0; // read and written
    double flops = 0;
};

struct Settings {
    cudaStream_t stream = nullptr;
    bool allow_tf32 = false;
};

class Layer {
  public:
    Layer(const bench::Case &which, const Settings &settings);
    ~Layer();
    Layer(const Layer &) = delete;
    Layer &operator=(const Layer &) = delete;

    [[nodiscard]] const std::vector<Row> &rows() const;
    [[nodiscard]] int64_t kept_bytes() const;
    [[nodiscard]] int64_t x_bytes() const;
    [[nodiscard]] int64_t workspace_bytes() const;

    /// Bytes of the tensors, before any is made.
    static int64_t tensor_bytes(const bench::Case &which);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace gpu_bench
