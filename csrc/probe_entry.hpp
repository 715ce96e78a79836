// Entry (row, column) of the probing matrix z, as a pure function of the seed.
//
// Column j is Philox subsequence j. Rademacher signs take one bit each, so one
// block serves 128 consecutive rows; the other distributions take one 32-bit
// word each, so one block serves 4. This file is the definition; the CPU's vector
// code and the GPU's kernels must agree with it, and tests hold them to it.
#pragma once

#include <cmath>
#include <cstdint>

#include "backend.hpp"
#include "philox.hpp"

namespace xconv {

/// Signs that one Philox block holds, a bit each.
inline constexpr int kSignsPerBlock = 128;

/// Rows of z that one Philox block covers.
XCONV_HOST_DEVICE constexpr int64_t rows_per_block(Distribution distribution)
{
    return distribution == Distribution::rademacher ? kSignsPerBlock : 4;
}

/// A set bit is -1.
template <class T> XCONV_HOST_DEVICE inline T rademacher_value(const PhiloxBlock &block, int place)
{
    const uint32_t bit = (block.word[place / 32] >> (place % 32)) & 1U;
    return T(1) - T(2) * static_cast<T>(bit);
}

/// Midpoints of 2^32 equal cells of [-sqrt(3), sqrt(3)].
template <class T> XCONV_HOST_DEVICE inline T uniform_value(uint32_t word)
{
    constexpr double cell = 3.4641016151377545870548926830117 / 4294967296.0; // sqrt(12) / 2^32
    const auto centred = static_cast<int32_t>(word ^ 0x80000000U);
    return (static_cast<T>(centred) + T(0.5)) * static_cast<T>(cell);
}

/// Midpoints of 2^32 equal cells of (0, 1).
template <class T> XCONV_HOST_DEVICE inline T gaussian_cell(uint32_t word)
{
    constexpr double step = 1.0 / 4294967296.0; // 2^-32
    return static_cast<T>(word) * static_cast<T>(step) + static_cast<T>(step / 2);
}

/// An angle on [0, 2 pi).
template <class T> XCONV_HOST_DEVICE inline T gaussian_angle(uint32_t word)
{
    constexpr double step = 6.283185307179586476925286766559 / 4294967296.0; // 2 pi 2^-32
    return static_cast<T>(word) * static_cast<T>(step);
}

/// Box-Muller (1958): two words to two independent standard normals.
template <class T>
XCONV_HOST_DEVICE inline void gaussian_pair(uint32_t first, uint32_t second, T &a, T &b)
{
    const T radius = std::sqrt(T(-2) * std::log(gaussian_cell<T>(first)));
    const T angle = gaussian_angle<T>(second);
    a = radius * std::cos(angle);
    b = radius * std::sin(angle);
}

template <class T>
XCONV_HOST_DEVICE inline T probe_entry(uint64_t seed, Distribution distribution, int64_t row,
                                       int64_t column)
{
    const int64_t per_block = rows_per_block(distribution);
    const PhiloxBlock block =
        philox_block(seed, static_cast<uint64_t>(row / per_block), static_cast<uint64_t>(column));
    const int place = static_cast<int>(row % per_block);
    if (distribution == Distribution::rademacher) {
        return rademacher_value<T>(block, place);
    }
    if (distribution == Distribution::uniform) {
        return uniform_value<T>(block.word[place]);
    }
    T pair[2];
    gaussian_pair(block.word[place & 2], block.word[(place & 2) + 1], pair[0], pair[1]);
    return pair[place & 1];
}

} // namespace xconv
