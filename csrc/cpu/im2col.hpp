// Walks between one sample and its unfolded matrix: row (channel, kd, kh, kw),
// column (od, oh, ow). Any rectangle of that matrix can be made by itself.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/window.hpp"
#include "geometry.hpp"

namespace xconv::cpu {

/// A rectangle of the unfolded matrix.
struct Unfolded {
    int64_t row, rows;     // of in_per_group * kernel_points
    int64_t place, places; // of out_points
};

/// Walk along one row of the rectangle in runs that stay in one output line.
/// run(at, from, count): the `count` places from column `at` of the rectangle
/// read the channel at from, from + stride_w, ...; gap(at, count): they read
/// padding.
template <class Run, class Gap>
void walk_row(const ConvGeometry &g, int64_t tap, int64_t place, int64_t places, Run &&run,
              Gap &&gap)
{
    const int64_t kw = tap % g.kernel[2];
    const int64_t kh = tap / g.kernel[2] % g.kernel[1];
    const int64_t kd = tap / g.kernel[2] / g.kernel[1];
    const int64_t offset = kw * g.dilation[2] - g.pad_begin[2];
    const Interval valid = inside(offset, g.stride[2], g.in[2], g.out[2]);
    int64_t ow = place % g.out[2];
    int64_t oh = place / g.out[2] % g.out[1];
    int64_t od = place / g.out[2] / g.out[1];
    for (int64_t at = 0; at < places;) {
        const int64_t end = std::min(g.out[2], ow + places - at);
        const int64_t ih = oh * g.stride[1] + kh * g.dilation[1] - g.pad_begin[1];
        const int64_t id = od * g.stride[0] + kd * g.dilation[0] - g.pad_begin[0];
        int64_t first = end;
        int64_t last = end;
        if (ih >= 0 && ih < g.in[1] && id >= 0 && id < g.in[0]) {
            first = std::clamp(valid.first, ow, end);
            last = std::clamp(valid.last, first, end);
        }
        if (first > ow) {
            gap(at, first - ow);
        }
        if (last > first) {
            run(at + first - ow, (id * g.in[1] + ih) * g.in[2] + first * g.stride[2] + offset,
                last - first);
        }
        if (end > last) {
            gap(at + last - ow, end - last);
        }
        at += end - ow;
        ow = 0;
        if (++oh == g.out[1]) {
            oh = 0;
            ++od;
        }
    }
}

/// col [rows][places] = the rectangle `u` of the group whose first channel is x.
template <class T> void im2col(const ConvGeometry &g, const T *x, const Unfolded &u, T *col)
{
    const int64_t taps = g.kernel_points();
    const int64_t step = g.stride[2];
    for (int64_t row = u.row; row < u.row + u.rows; ++row) {
        const T *channel = x + row / taps * g.x_channel;
        walk_row(
            g, row % taps, u.place, u.places,
            [=](int64_t at, int64_t from, int64_t count) {
                if (step == 1) {
                    std::copy_n(channel + from, count, col + at);
                    return;
                }
                for (int64_t i = 0; i < count; ++i) {
                    col[at + i] = channel[from + i * step];
                }
            },
            [=](int64_t at, int64_t count) { std::fill_n(col + at, count, T(0)); });
        col += u.places;
    }
}

/// The transpose: add every element of col to the place of x it was read from.
template <class T> void col2im(const ConvGeometry &g, const T *col, const Unfolded &u, T *x)
{
    const int64_t taps = g.kernel_points();
    const int64_t step = g.stride[2];
    for (int64_t row = u.row; row < u.row + u.rows; ++row) {
        T *channel = x + row / taps * g.x_channel;
        walk_row(
            g, row % taps, u.place, u.places,
            [=](int64_t at, int64_t from, int64_t count) {
                for (int64_t i = 0; i < count; ++i) {
                    channel[from + i * step] += col[at + i];
                }
            },
            [](int64_t, int64_t) {});
        col += u.places;
    }
}

} // namespace xconv::cpu
