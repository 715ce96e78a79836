// RAII over the C ABI for the tests. Every call goes through buffers of exactly
// the promised size with guards behind them, outputs start as NaN, and the
// workspace starts as garbage.
#pragma once

#include <xconv/xconv.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "catch.hpp"
#include "device.hpp"
#include "half.hpp"
#include "oracle.hpp"

namespace support {

using oracle::Tensor;
using Bytes = std::vector<unsigned char>;

#define REQUIRE_OK(call)                                                                           \
    do {                                                                                           \
        const xconv_status status_ = (call);                                                       \
        if (status_ != XCONV_SUCCESS) {                                                            \
            FAIL(#call << " gave " << xconv_status_name(status_) << ": " << xconv_last_error());   \
        }                                                                                          \
    } while (false)

template <class T> constexpr xconv_dtype dtype_of = sizeof(T) == 8 ? XCONV_F64 : XCONV_F32;
template <> inline constexpr xconv_dtype dtype_of<F16> = XCONV_F16;
template <> inline constexpr xconv_dtype dtype_of<BF16> = XCONV_BF16;

/// What numbers made from tensors of T are: those of a sketch, and sums.
template <class T> using Number = std::conditional_t<std::is_floating_point_v<T>, T, float>;

template <class T> std::vector<T> to(const Tensor &values)
{
    std::vector<T> out(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
        out[i] = static_cast<T>(values[i]);
    }
    return out;
}

template <class T> Tensor widen(const std::vector<T> &values)
{
    return Tensor(values.begin(), values.end());
}

/// The values that T makes of them.
template <class T> Tensor rounded(const Tensor &values) { return widen(to<T>(values)); }

template <class T> bool same_bits(const std::vector<T> &a, const std::vector<T> &b)
{
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Deterministic random numbers, the same with every standard library.
class Random {
  public:
    explicit Random(uint64_t seed) : bits_(seed) {}

    /// Uniform on {low, ..., high}; the bias of the modulus is of no concern.
    int64_t integer(int64_t low, int64_t high)
    {
        return low + static_cast<int64_t>(bits_() % static_cast<uint64_t>(high - low + 1));
    }
    bool coin() { return integer(0, 1) == 1; }
    /// Multiples of 2^-10 in [-1, 1]: exact in Float32 as in Float64.
    double value() { return static_cast<double>(integer(-1024, 1024)) / 1024; }
    Tensor values(int64_t count);
    /// Whole numbers in -3 .. 3.
    Tensor small_integers(int64_t count);

  private:
    std::mt19937_64 bits_;
};

/// An array on the device under test with a guard zone behind it, filled with 0xFF
/// bytes: NaNs.
template <class T> class Guarded {
  public:
    explicit Guarded(int64_t count) : Guarded(count, {}) {}
    Guarded(int64_t count, const std::vector<T> &from)
        : count_(static_cast<size_t>(count)), data_(count_ + kGuard)
    {
        std::memset(static_cast<void *>(data_.data()), 0xFF, data_.size() * sizeof(T));
        std::copy(from.begin(), from.end(), data_.begin());
        if (DeviceMemory::is_apart()) {
            device_ = std::make_unique<DeviceMemory>(data_.size() * sizeof(T));
            device_->write(data_.data());
        }
    }
    T *data() { return device_ ? static_cast<T *>(device_->data()) : data_.data(); }
    size_t bytes() const { return count_ * sizeof(T); }
    bool guard_intact()
    {
        if (device_) {
            device_->read(data_.data());
        }
        const auto *byte = reinterpret_cast<const unsigned char *>(data_.data() + count_);
        for (size_t i = 0; i < kGuard * sizeof(T); ++i) {
            if (byte[i] != 0xFF) {
                return false;
            }
        }
        return true;
    }
    /// The array without its guard, which must be intact.
    std::vector<T> take()
    {
        if (!guard_intact()) {
            FAIL("a call wrote behind the end of its output");
        }
        return {data_.data(), data_.data() + count_};
    }

  private:
    static constexpr size_t kGuard = 64;
    size_t count_;
    std::vector<T> data_;
    std::unique_ptr<DeviceMemory> device_;
};

struct Scheme {
    xconv_projection projection = XCONV_IDENTITY;
    xconv_distribution distribution = XCONV_RADEMACHER;
    int64_t probes = 0;
    bool deflate_mean = false;
    int bits = 0;
    int64_t group = 0;
    std::string describe() const;
};

struct Options {
    xconv_contraction contraction = XCONV_CONTRACTION_AUTO;
    int64_t workspace_limit = 0;
};

class Context {
  public:
    explicit Context(int threads = 1, bool allow_tf32 = false);
    const xconv_context *get() const { return context_.get(); }

  private:
    struct Destroy {
        void operator()(xconv_context *context) const { xconv_context_destroy(context); }
    };
    std::unique_ptr<xconv_context, Destroy> context_;
};

xconv_conv_desc describe(const oracle::Conv &conv, xconv_dtype dtype);
xconv_pool_desc describe(const oracle::Pool &pool, xconv_dtype dtype);
xconv_scheme_desc describe(const Scheme &scheme);

class Plan {
  public:
    Plan(const Context &context, const oracle::Conv &conv, xconv_dtype dtype,
         const Scheme &scheme = {}, const Options &options = {}, bool float32_dw = false);
    const xconv_plan *get() const { return plan_.get(); }
    int64_t query(xconv_query what) const;

  private:
    struct Destroy {
        void operator()(xconv_plan *plan) const { xconv_plan_destroy(plan); }
    };
    std::unique_ptr<xconv_plan, Destroy> plan_;
};

/// One convolution ready to run in element type T, with dw and db in Dw. Not for
/// sharing between threads: it owns the workspace.
template <class T, class Dw = T> class Layer {
  public:
    Layer(int threads, const oracle::Conv &conv, const Scheme &scheme = {},
          const Options &options = {});

    const oracle::Conv &conv() const { return conv_; }
    const Plan &plan() const { return plan_; }
    int64_t sketch_bytes() const { return plan_.query(XCONV_QUERY_SKETCH_BYTES); }

    std::vector<T> forward(const std::vector<T> &x, const std::vector<T> &w,
                           const std::vector<T> *bias = nullptr);
    std::vector<T> forward_and_sketch(const std::vector<T> &x, const std::vector<T> &w,
                                      const std::vector<T> *bias, uint64_t seed, Bytes &sketch);
    Bytes sketch(const std::vector<T> &x, uint64_t seed);
    std::vector<Dw> backward_filter(const Bytes &sketch, uint64_t seed, const std::vector<T> &dy);
    void backward_filter(const Bytes &sketch, uint64_t seed, const std::vector<T> &dy, double beta,
                         std::vector<Dw> &dw);
    std::vector<Dw> backward_filter_exact(const std::vector<T> &x, const std::vector<T> &dy);
    void backward_filter_exact(const std::vector<T> &x, const std::vector<T> &dy, double beta,
                               std::vector<Dw> &dw);
    std::vector<T> backward_data(const std::vector<T> &w, const std::vector<T> &dy);
    std::vector<Dw> backward_bias(const std::vector<T> &dy);
    void backward_bias(const std::vector<T> &dy, double beta, std::vector<Dw> &db);
    /// sketch() then backward_filter(): one draw of the estimate.
    std::vector<Dw> estimate(const std::vector<T> &x, const std::vector<T> &dy, uint64_t seed);

  private:
    /// Workspace for a pass, exactly as long as the plan asks for.
    Guarded<unsigned char> &workspace(xconv_query pass);

    oracle::Conv conv_;
    Context context_;
    Plan plan_;
    std::vector<std::pair<xconv_query, std::unique_ptr<Guarded<unsigned char>>>> workspaces_;
};

extern template class Layer<float>;
extern template class Layer<double>;
extern template class Layer<F16>;
extern template class Layer<BF16>;
extern template class Layer<F16, float>;
extern template class Layer<BF16, float>;

/// |actual - expected| <= factor * eps * magnitude, entry by entry. `magnitude`
/// is the sum of the absolute values of the terms that make up an entry. eps is that
/// of the numbers that sums are made in; 16-bit entries are rounded once more, by
/// half a unit in their last place, which for subnormal ones is the least number.
template <class T>
void require_close(const std::vector<T> &actual, const Tensor &expected, const Tensor &magnitude,
                   double factor)
{
    REQUIRE(actual.size() == expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
        const double error = std::abs(static_cast<double>(actual[i]) - expected[i]);
        double bound = factor * std::numeric_limits<Number<T>>::epsilon() * magnitude[i];
        if (!std::is_floating_point_v<T>) {
            bound += std::max(std::numeric_limits<T>::epsilon() * (std::abs(expected[i]) + bound),
                              static_cast<double>(std::numeric_limits<T>::denorm_min())) /
                     2;
        }
        if (!(error <= bound)) {
            FAIL("entry " << i << " is " << actual[i] << " instead of " << expected[i] << ": error "
                          << error << " above the bound " << bound);
        }
    }
}

Tensor absolute(Tensor values);

/// A smaller number of random draws under a sanitizer and on other devices, which slow
/// them down.
/// Bounds that depend on it must be computed from the result.
int64_t draws(int64_t wanted);

} // namespace support
