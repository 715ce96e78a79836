#include "cpu/relu.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "checked.hpp"
#include "cpu/parallel.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

namespace {

// Threads work on whole blocks, so that none shares a mask byte with another.
constexpr int64_t kBlock = 16 * 1024;

/// Eight bytes that are 0 or 1, the first in the lowest bit.
inline uint8_t pack(const uint8_t *flags)
{
    uint64_t bytes = 0;
    std::memcpy(&bytes, flags, sizeof bytes);
    constexpr uint64_t gather =
        std::endian::native == std::endian::little ? 0x0102040810204080U : 0x8040201008040201U;
    return static_cast<uint8_t>((bytes * gather) >> 56U);
}

template <class T> struct Shape {
    Shape(double slope_, double ceiling_)
        : slope(static_cast<T>(slope_)),
          // Nothing reaches NaN: without a ceiling, infinity passes as well.
          ceiling(std::isinf(ceiling_) ? std::numeric_limits<T>::quiet_NaN()
                                       : static_cast<T>(ceiling_))
    {
    }

    T slope;
    T ceiling;

    [[nodiscard]] bool passes(T x) const { return !(x <= 0) & !(x >= ceiling); }
    [[nodiscard]] T value(T x) const
    {
        // A slope of 0 means 0, even times infinity.
        const T low = slope == 0 ? T(0) : slope * x;
        return x <= 0 ? low : x >= ceiling ? ceiling : x;
    }
};

template <class T> void forward_values(Shape<T> shape, int64_t count, const T *x, T *y)
{
    for (int64_t i = 0; i < count; ++i) {
        y[i] = shape.value(x[i]);
    }
}

// Elements whose flags are found together, in loops that become vector code.
constexpr int64_t kGroup = 64;

template <class T> void mask_group(Shape<T> shape, const T *x, uint8_t *mask)
{
    std::array<uint8_t, kGroup> flags;
    for (std::size_t i = 0; i < kGroup; ++i) {
        flags[i] = static_cast<uint8_t>(shape.passes(x[i]));
    }
    for (std::size_t byte = 0; byte < kGroup / 8; ++byte) {
        mask[byte] = pack(flags.data() + byte * 8);
    }
}

/// The mask goes first: y may be x.
template <class T>
void forward_block(Shape<T> shape, int64_t count, const T *x, T *y, uint8_t *mask)
{
    if (mask != nullptr) {
        int64_t i = 0;
        for (; i + kGroup <= count; i += kGroup) {
            mask_group(shape, x + i, mask + i / 8);
        }
        for (; i < count; i += 8) {
            unsigned bits = 0;
            for (int64_t j = i; j < std::min(i + 8, count); ++j) {
                bits |= static_cast<unsigned>(shape.passes(x[j])) << (j - i);
            }
            mask[i / 8] = static_cast<uint8_t>(bits);
        }
    }
    forward_values(shape, count, x, y);
}

template <class T> using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

/// kSpread[n][j]: all ones when bit j of n is set.
template <class T>
constexpr auto kSpread = [] {
    std::array<std::array<Bits<T>, 4>, 16> table{};
    for (unsigned n = 0; n < 16; ++n) {
        for (unsigned j = 0; j < 4; ++j) {
            table[n][j] = (n >> j & 1U) != 0 ? ~Bits<T>{0} : Bits<T>{0};
        }
    }
    return table;
}();

/// A slope of 0 means 0, even times infinity: a loop of its own.
template <bool kLeaky, class T>
void backward_block(T slope, int64_t count, const uint8_t *mask, const T *dy, T *dx)
{
    const auto low = [slope](T value) { return kLeaky ? slope * value : T(0); };
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const auto &pass = kSpread<T>[mask[i / 8] >> (i % 8) & 15];
        std::array<T, 4> out;
        for (std::size_t j = 0; j < 4; ++j) {
            const T value = dy[i + static_cast<int64_t>(j)];
            out[j] = std::bit_cast<T>((std::bit_cast<Bits<T>>(value) & pass[j]) |
                                      (std::bit_cast<Bits<T>>(low(value)) & ~pass[j]));
        }
        std::copy(out.begin(), out.end(), dx + i);
    }
    for (; i < count; ++i) {
        dx[i] = (mask[i / 8] >> (i % 8) & 1) != 0 ? dy[i] : low(dy[i]);
    }
}

/// body(first, count) for every block.
template <class Body> void for_blocks(int64_t count, int threads, const Body &body)
{
    parallel_for(threads, ceil_div(count, kBlock), [&](int64_t block) {
        const int64_t first = block * kBlock;
        body(first, std::min(kBlock, count - first));
    });
}

/// body(first, count, from, to) for every block: `from` and `to` are the block of in
/// and out as numbers. 16-bit elements are widened, and narrowed again, in the cache.
template <class T, class Body>
void for_numbers(int64_t count, int threads, const void *in, void *out, const Body &body)
{
    const auto *from = static_cast<const T *>(in);
    auto *to = static_cast<T *>(out);
    for_blocks(count, threads, [&](int64_t first, int64_t here) {
        if constexpr (is_half<T>) {
            constexpr int64_t piece = 1024;
            const HalfKernels<T> &halves = best_simd_variant().halves<T>();
            std::array<float, piece> wide;
            for (int64_t i = first; i < first + here; i += piece) {
                const int64_t length = std::min(piece, first + here - i);
                halves.widen(from + i, length, wide.data());
                body(i, length, wide.data(), wide.data());
                halves.narrow(wide.data(), length, to + i);
            }
        }
        else {
            body(first, here, from + first, to + first);
        }
    });
}

} // namespace

void relu_forward(Dtype dtype, int64_t count, double negative_slope, double ceiling, const void *x,
                  void *y, uint8_t *mask, int threads)
{
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const Shape<T> shape(negative_slope, ceiling);
        for_numbers<In>(
            count, threads, x, y, [&](int64_t first, int64_t here, const T *from, T *to) {
                forward_block(shape, here, from, to, mask == nullptr ? nullptr : mask + first / 8);
            });
    });
}

void relu_backward(Dtype dtype, int64_t count, double negative_slope, const uint8_t *mask,
                   const void *dy, void *dx, int threads)
{
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const auto block = negative_slope == 0 ? backward_block<false, T> : backward_block<true, T>;
        for_numbers<In>(count, threads, dy, dx,
                        [&](int64_t first, int64_t here, const T *from, T *to) {
                            block(static_cast<T>(negative_slope), here, mask + first / 8, from, to);
                        });
    });
}

} // namespace xconv::cpu
