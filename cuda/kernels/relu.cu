#include <cmath>
#include <limits>

#include "cuda/launch.hpp"
#include "cuda/ops_companions.hpp"

namespace xconv::cuda {

namespace {

/// A thread has the elements of one byte of the mask.
constexpr int kElements = 8;

/// Eight elements that are loaded and stored together where they lie so.
template <class T> struct alignas(16) Eight {
    T values[kElements];
};

template <class T> bool lies_aligned(const T *data)
{
    return reinterpret_cast<uintptr_t>(data) % alignof(Eight<T>) == 0;
}

template <class T>
XCONV_DEVICE Eight<T> load(const T *from, int64_t first, int64_t count, bool aligned)
{
    if (aligned && first + kElements <= count) {
        return *reinterpret_cast<const Eight<T> *>(from + first);
    }
    Eight<T> eight;
    for (int j = 0; j < kElements; ++j) {
        eight.values[j] = from[first + j < count ? first + j : first];
    }
    return eight;
}

template <class T>
XCONV_DEVICE void store(const Eight<T> &eight, T *to, int64_t first, int64_t count, bool aligned)
{
    if (aligned && first + kElements <= count) {
        *reinterpret_cast<Eight<T> *>(to + first) = eight;
        return;
    }
    for (int j = 0; j < kElements && first + j < count; ++j) {
        to[first + j] = eight.values[j];
    }
}

template <class T> struct ReluForward {
    using Number = ComputeType<T>;
    int64_t count;
    Number slope;
    Number ceiling; // NaN for none: nothing reaches it, and infinity passes as well
    const T *x;
    T *y;
    uint8_t *mask; // may be null
    bool aligned;

    XCONV_DEVICE void operator()(int64_t byte) const
    {
        const int64_t first = byte * kElements;
        Eight<T> eight = load(x, first, count, aligned);
        unsigned bits = 0;
        XCONV_UNROLL
        for (int j = 0; j < kElements; ++j) {
            const auto value = static_cast<Number>(eight.values[j]);
            const bool low = value <= 0;
            const bool high = value >= ceiling;
            bits |= static_cast<unsigned>(!low && !high && first + j < count) << j;
            if (low) {
                // A slope of 0 means 0, even times infinity.
                eight.values[j] = T(slope == 0 ? Number(0) : slope * value);
            }
            else if (high) {
                eight.values[j] = T(ceiling);
            }
        }
        store(eight, y, first, count, aligned);
        if (mask != nullptr) {
            mask[byte] = static_cast<uint8_t>(bits);
        }
    }
};

template <class T> struct ReluBackward {
    using Number = ComputeType<T>;
    int64_t count;
    Number slope;
    const uint8_t *mask;
    const T *dy;
    T *dx;
    bool aligned;

    XCONV_DEVICE void operator()(int64_t byte) const
    {
        const int64_t first = byte * kElements;
        Eight<T> eight = load(dy, first, count, aligned);
        const unsigned bits = mask[byte];
        XCONV_UNROLL
        for (int j = 0; j < kElements; ++j) {
            if ((bits >> j & 1U) == 0) {
                const auto value = static_cast<Number>(eight.values[j]);
                eight.values[j] = T(slope == 0 ? Number(0) : slope * value);
            }
        }
        store(eight, dx, first, count, aligned);
    }
};

} // namespace

void relu_forward(Stream stream, Dtype dtype, int64_t count, double negative_slope, double ceiling,
                  const void *x, void *y, uint8_t *mask)
{
    with_tensor_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using Number = ComputeType<T>;
        const auto *in = static_cast<const T *>(x);
        auto *out = static_cast<T *>(y);
        const Number top = std::isinf(ceiling) ? std::numeric_limits<Number>::quiet_NaN()
                                               : static_cast<Number>(ceiling);
        launch_elements(ReluForward<T>{count, static_cast<Number>(negative_slope), top, in, out,
                                       mask, lies_aligned(in) && lies_aligned(out)},
                        ceil_div(count, kElements), stream);
    });
}

void relu_backward(Stream stream, Dtype dtype, int64_t count, double negative_slope,
                   const uint8_t *mask, const void *dy, void *dx)
{
    with_tensor_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto *in = static_cast<const T *>(dy);
        auto *out = static_cast<T *>(dx);
        launch_elements(ReluBackward<T>{count, static_cast<ComputeType<T>>(negative_slope), mask,
                                        in, out, lies_aligned(in) && lies_aligned(out)},
                        ceil_div(count, kElements), stream);
    });
}

} // namespace xconv::cuda
