// Which outputs of a sliding window meet real elements.
#pragma once

#include <algorithm>
#include <cstdint>

#include "checked.hpp"
#include "geometry.hpp"

namespace xconv::cpu {

/// The i in [0, count) with 0 <= offset + i * stride < in.
inline Interval inside(int64_t offset, int64_t stride, int64_t in, int64_t count)
{
    // Divisions only where padding is in reach.
    const int64_t first = offset >= 0 ? 0 : std::min(count, ceil_div(-offset, stride));
    if (offset + (count - 1) * stride < in) {
        return {first, count};
    }
    const int64_t last = offset >= in ? 0 : ceil_div(in - offset, stride);
    return {first, std::clamp(last, first, count)};
}

} // namespace xconv::cpu
