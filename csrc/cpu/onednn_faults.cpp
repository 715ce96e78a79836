#include "cpu/onednn_faults.hpp"

#include <algorithm>

#include "checked.hpp"

namespace xconv::cpu::onednn {

namespace {

constexpr int64_t kVector = 16; // channels in a block

/// Sufficient for every window to have a tap inside x.
bool windows_meet_x(const ConvGeometry &g)
{
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const int64_t extent = g.kernel_extent(axis);
        if (std::max(g.pad_begin[axis], g.pad_end[axis]) >= extent || g.in[axis] < extent) {
            return false;
        }
    }
    return true;
}

/// Sufficient for every tap to meet x somewhere, if windows do.
bool taps_meet_x(const ConvGeometry &g)
{
    for (std::size_t axis = 0; axis < 3; ++axis) {
        if (g.stride[axis] > g.in[axis] ||
            ceil_div(g.pad_begin[axis], g.stride[axis]) >= g.out[axis]) {
            return false;
        }
    }
    return true;
}

bool skips_rows(const ConvGeometry &g, std::size_t axis)
{
    return g.kernel_extent(axis) < g.stride[axis];
}

} // namespace

bool sound(const ConvGeometry &g, Direction direction)
{
    if (direction != Direction::backward_filter || g.rank != 3) {
        return true;
    }
    // Writes outside of dw where every window along the slowest axis of a volume reaches
    // into padding.
    const int64_t first = round_up(g.pad_begin[0], g.stride[0]) - g.pad_begin[0];
    return first + g.kernel_extent(0) <= g.in[0];
}

bool sound_in_bfloat16(const ConvGeometry &g, Direction direction)
{
    if (!windows_meet_x(g)) { // crashes
        return false;
    }
    switch (direction) {
    case Direction::forward:
        // Wrong y, and another one each time.
        return g.kernel[2] == 1 || !(skips_rows(g, 0) || skips_rows(g, 1));
    case Direction::backward_filter: {
        // NaN for taps that meet padding only, and where blocks of channels are not full,
        // and a plan that is never done for padded lines of more than 736.
        constexpr int64_t longest = 512;
        const bool dilated = g.dilation[0] > 1 || g.dilation[1] > 1;
        return taps_meet_x(g) && !(dilated && g.in_per_group() % kVector != 0) &&
               g.in[2] <= longest;
    }
    default:
        return true;
    }
}

bool sound_channels_last(const ConvGeometry &g)
{
    // The kernel for 1x1 gathers strided x into blocks, and behind the last one.
    return g.kernel_points() > 1 || product(g.stride) == 1 || g.in_per_group() % kVector == 0;
}

} // namespace xconv::cpu::onednn
