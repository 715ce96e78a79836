// Unbiased rounding of one number to a few bits, and back: the definition that the
// CPU's vector code and the GPU's kernels must agree with, bit for bit.
//
// The 2^bits levels of a group divide [low, high] evenly: its smallest and its largest
// number, rounded outward to half of their bits. A number between two levels goes to
// the upper one with the probability that keeps its mean. A group with a number that
// is not finite, or that half the bits cannot bound, becomes NaN as a whole.
//
// Random words come from Philox subsequences that no column of z reaches: number i
// of row b takes word i % 4 of block i / 4 of subsequence stream + b.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "host_device.hpp"
#include "philox.hpp"

namespace xconv {

/// What one seed rounds has a stream for each of its matrices.
enum class RoundingStream : uint64_t { numbers = uint64_t{1} << 63, means = uint64_t{3} << 62 };

struct Rounding {
    uint64_t seed;
    RoundingStream stream;
};

XCONV_HOST_DEVICE inline uint32_t rounding_word(const Rounding &rounding, int64_t row,
                                                int64_t place)
{
    const uint64_t subsequence =
        static_cast<uint64_t>(rounding.stream) + static_cast<uint64_t>(row);
    return philox_block(rounding.seed, static_cast<uint64_t>(place / 4), subsequence)
        .word[place % 4];
}

/// Products and sums that compilers must not fuse: fused ones round once, and
/// devices would differ.
XCONV_ALWAYS_INLINE float plain_mul(float a, float b)
{
#if defined(__CUDA_ARCH__)
    return __fmul_rn(a, b);
#else
    return a * b; // hosts compile this with -ffp-contract=off
#endif
}
XCONV_ALWAYS_INLINE double plain_mul(double a, double b)
{
#if defined(__CUDA_ARCH__)
    return __dmul_rn(a, b);
#else
    return a * b;
#endif
}

/// Uniform on [0, 1), in steps that the type holds exactly.
template <class T> XCONV_ALWAYS_INLINE T rounding_uniform(uint32_t word);
template <> XCONV_ALWAYS_INLINE float rounding_uniform<float>(uint32_t word)
{
    return static_cast<float>(static_cast<int32_t>(word >> 8U)) * 5.9604644775390625e-8F; // 2^-24
}
template <> XCONV_ALWAYS_INLINE double rounding_uniform<double>(uint32_t word)
{
    return static_cast<double>(word) * 2.3283064365386962890625e-10; // 2^-32
}

template <class T> struct GroupRange {
    T low;
    T high;
};

/// A range as it is kept: the upper half of each end's bits (a Float32's are a
/// BFloat16), rounded outward, so that every number of the group stays inside.
template <class T> struct alignas(T) KeptRange {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    using Half = std::conditional_t<sizeof(T) == 4, uint16_t, uint32_t>;
    Half low;
    Half high;

    /// Around the smallest and the largest number of a group; NaN unless all of its
    /// numbers, and both ends, are finite.
    XCONV_HOST_DEVICE static KeptRange around(GroupRange<T> numbers, bool finite)
    {
        const Half high = rounded_up(numbers.high);
        const Half minus_low = rounded_up(-numbers.low);
        if (!finite || high == kInfinity || minus_low == kInfinity) {
            return {kNan, kNan};
        }
        return {minus_low == 0 ? minus_low : static_cast<Half>(minus_low ^ kSign), high};
    }
    [[nodiscard]] XCONV_HOST_DEVICE GroupRange<T> widened() const
    {
        return {widened(low), widened(high)};
    }

  private:
    static constexpr int kHalf = 4 * static_cast<int>(sizeof(T)); // bits
    static constexpr Half kSign = Half{1} << (kHalf - 1);
    static constexpr Half kInfinity = sizeof(T) == 4 ? 0x7F80U : 0x7FF00000U;
    static constexpr Half kNan = sizeof(T) == 4 ? 0x7FC0U : 0x7FF80000U;

    /// The least that is not below a finite value; 0 rather than -0, so that the order
    /// of equal zeros leaves no trace.
    XCONV_HOST_DEVICE static Half rounded_up(T value)
    {
        Bits bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        const bool negative = bits >> (2 * kHalf - 1) != 0;
        constexpr Bits lower = (Bits{1} << kHalf) - 1;
        const auto half = static_cast<Half>((bits + (negative ? 0 : lower)) >> kHalf);
        return half == kSign ? Half{0} : half;
    }
    XCONV_HOST_DEVICE static T widened(Half half)
    {
        const Bits bits = static_cast<Bits>(half) << kHalf;
        T value = 0;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    }
};

/// Rounds the numbers of one group.
template <class T> struct Encoder {
    T factor; // a power of two that keeps the arithmetic in range
    T low;    // times factor
    T inverse;
    uint32_t levels; // the largest code

    XCONV_HOST_DEVICE static Encoder make(GroupRange<T> range, int bits)
    {
        // Half of the type's exponents, roughly: 2^64 or 2^512.
        constexpr T large = sizeof(T) == 4 ? T(18446744073709551616.0) : T(1.3407807929942597e154);
        const uint32_t levels = (1U << static_cast<uint32_t>(bits)) - 1U;
        const T half = range.high * T(0.5) - range.low * T(0.5);
        T factor = 1;
        if (half > large) {
            factor = T(0.25);
        }
        if (half < 1 / large) {
            factor = large;
        }
        const T low = range.low * factor;
        const T width = range.high * factor - low;
        // A constant group has one level; one that is not finite keeps no code.
        const bool flat = !(width > 0);
        return {factor, flat ? T(0) : low, flat ? T(0) : static_cast<T>(levels) / width, levels};
    }

    XCONV_ALWAYS_INLINE uint32_t code(T value, uint32_t word) const
    {
        const T place = plain_mul(plain_mul(value, factor) - low, inverse);
        const T rounded = place + rounding_uniform<T>(word);
        const auto most = static_cast<T>(static_cast<int32_t>(levels));
        const T positive = rounded > 0 ? rounded : T(0); // of NaN, too
        const T within = positive < most ? positive : most;
        return static_cast<uint32_t>(static_cast<int32_t>(within));
    }
};

/// The number that a code stands for; the ends of the range are met exactly.
template <class T> XCONV_ALWAYS_INLINE T decode(GroupRange<T> range, uint32_t code, uint32_t levels)
{
    const auto all = static_cast<T>(static_cast<int32_t>(levels));
    const T upper = static_cast<T>(static_cast<int32_t>(code)) / all;
    const T lower = static_cast<T>(static_cast<int32_t>(levels - code)) / all;
    return plain_mul(range.low, lower) + plain_mul(range.high, upper);
}

} // namespace xconv
