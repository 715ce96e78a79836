// A convolution of images as one of lines: for SignFilter.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "checked.hpp"
#include "cpu/signs.hpp"
#include "geometry.hpp"

namespace xconv::cpu {

/// Images on one line: x and y with the same distance between rows and between
/// slices, large enough that each row of x is followed by its padding. A tap of the
/// kernel is then one distance along the line, and sums along the line need no
/// regard to rows: padding is 0 in x, and what lies between the rows of y is 0 there.
struct Line {
    int64_t row = 1;    // places from one row to the next
    int64_t slice = 1;  // and from one slice to the next
    int64_t length = 0; // of y
    int64_t lead = 0;   // places of padding before the first of x
    std::vector<int64_t> taps;

    explicit Line(const ConvGeometry &g)
    {
        const auto extent = [&](size_t axis) {
            return std::max(g.in[axis] + std::max(g.pad_begin[axis], g.pad_end[axis]), g.out[axis]);
        };
        row = extent(2);
        slice = row * extent(1);
        length = at(g.out[0] - 1, g.out[1] - 1, g.out[2] - 1) + 1;
        lead = at(g.pad_begin[0], g.pad_begin[1], g.pad_begin[2]);
        for (int64_t z = 0; z < g.kernel[0]; ++z) {
            for (int64_t y = 0; y < g.kernel[1]; ++y) {
                for (int64_t x = 0; x < g.kernel[2]; ++x) {
                    taps.push_back(at(z * g.dilation[0], y * g.dilation[1], x * g.dilation[2]));
                }
            }
        }
    }
    [[nodiscard]] int64_t at(int64_t z, int64_t y, int64_t x) const
    {
        return z * slice + y * row + x;
    }
    [[nodiscard]] int64_t reach() const { return taps.back(); }
    /// Whether y can be taken row after row as it lies in memory, skipping on the side
    /// of x what lies between the rows: rows must be whole steps of a product.
    [[nodiscard]] bool closed(const ConvGeometry &g) const
    {
        return g.out[0] == 1 && g.out[2] % signs::kDepth == 0;
    }

    /// visit(offset, place, count) for what places [from, from + count) of the line
    /// hold of an image of these sizes: runs of `count` points from `place` on, or
    /// of nothing (place -1), `offset` places after `from`.
    template <class Visit>
    void for_runs(const Axes &size, int64_t from, int64_t count, Visit &&visit) const
    {
        for (int64_t at = 0; at < count;) {
            const int64_t position = from + at;
            const int64_t z = floor_div(position, slice);
            const int64_t y = (position - z * slice) / row;
            const int64_t x = position - z * slice - y * row;
            const bool inside = z >= 0 && z < size[0] && y < size[1] && x < size[2];
            const int64_t run = std::min((inside ? size[2] : row) - x, count - at);
            visit(at, inside ? (z * size[1] + y) * size[2] + x : -1, run);
            at += run;
        }
    }

  private:
    static int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -ceil_div(-a, b); }
};

} // namespace xconv::cpu
