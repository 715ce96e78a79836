// Index arithmetic of the kernels.
#pragma once

#include <cstdint>

#include "cuda/team.hpp"

namespace xconv::cuda {

struct Quotient {
    int64_t quotient;
    int64_t remainder;
};

/// Of numbers that are not negative. GPUs divide 64-bit numbers slowly, and few need it.
XCONV_DEVICE inline Quotient divide(int64_t a, int64_t b)
{
    if (((a | b) >> 32) == 0) {
        const auto small = static_cast<uint32_t>(a);
        const auto divisor = static_cast<uint32_t>(b);
        return {small / divisor, small % divisor};
    }
    return {a / b, a % b};
}

/// Spatial sizes as kernels take them.
struct Extents {
    int64_t d, h, w;
};

template <class Axes> Extents extents(const Axes &axes) { return {axes[0], axes[1], axes[2]}; }

/// The place of an index in row-major order.
XCONV_DEVICE inline Extents place_of(int64_t index, const Extents &size)
{
    const Quotient line = divide(index, size.w);
    const Quotient slice = divide(line.quotient, size.h);
    return {slice.quotient, slice.remainder, line.remainder};
}

} // namespace xconv::cuda
