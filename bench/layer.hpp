// The tensors of one convolution, shared by every row that is timed on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "case.hpp"

namespace bench {

/// Cache-line aligned memory. It is not touched before it is used, so that a
/// process's resident size counts what a pass really writes.
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(int64_t bytes);
    [[nodiscard]] std::byte *data() const { return data_.get(); }
    template <class T> [[nodiscard]] T *as() const
    {
        return static_cast<T *>(static_cast<void *>(data_.get()));
    }
    [[nodiscard]] int64_t bytes() const { return bytes_; }

  private:
    struct Free {
        void operator()(std::byte *p) const { std::free(p); }
    };
    std::unique_ptr<std::byte, Free> data_;
    int64_t bytes_ = 0;
};

/// Sizes that follow from a descriptor.
struct Sizes {
    explicit Sizes(const xconv_conv_desc &conv);
    int64_t out[3] = {1, 1, 1};
    int64_t in_points = 1;
    int64_t out_points = 1;
    int64_t kernel_points = 1;
    int64_t x_bytes = 0;
    int64_t w_bytes = 0;
    int64_t y_bytes = 0;
};

class Layer {
  public:
    Layer(const xconv_conv_desc &desc, int thread_count);

    /// At least `bytes` of memory that belongs to one row while it runs; it may
    /// move when another row asks for more.
    std::byte *scratch(int64_t bytes);

    xconv_conv_desc conv;
    Sizes sizes;
    int threads;
    Buffer x;
    Buffer w;
    Buffer dy;
    Buffer dw;

  private:
    Buffer scratch_;
};

/// What a row times, prepared.
class Work {
  public:
    Work() = default;
    Work(const Work &) = delete;
    Work &operator=(const Work &) = delete;
    virtual ~Work() = default;
    /// Bind scratch memory; called before every series of runs, not timed.
    virtual void prepare() = 0;
    virtual void run() = 0;

    std::string label;
    std::map<std::string, double> counters;
};

struct Row {
    std::string name;
    std::function<std::unique_ptr<Work>(Layer &)> make;
    bool exact_gradient = false; // leaves the exact filter gradient in layer.dw
    bool peak = false;           // has its peak memory measured
};

} // namespace bench
