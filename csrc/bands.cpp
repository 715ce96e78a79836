#include "bands.hpp"

#include <algorithm>

#include "checked.hpp"

namespace xconv {

namespace {

size_t row_axis(const ConvGeometry &g) { return static_cast<size_t>(3 - g.rank); }

/// The convolution that rows [in_from, in_to) of x and [out_from, out_to) of y
/// form, with the padding that is left to it.
Band make_band(const ConvGeometry &g, int64_t in_from, int64_t in_to, int64_t out_from,
               int64_t out_to)
{
    const size_t axis = row_axis(g);
    Band band{g, 0, 0};
    ConvGeometry &part = band.geometry;
    part.in[axis] = in_to - in_from;
    part.out[axis] = out_to - out_from;
    // Row 0 of the band's y begins at row out_from * stride - pad_begin of x.
    part.pad_begin[axis] = in_from - (out_from * g.stride[axis] - g.pad_begin[axis]);
    const int64_t reach = (part.out[axis] - 1) * g.stride[axis] + g.kernel_extent(axis);
    part.pad_end[axis] = std::max<int64_t>(reach - part.in[axis] - part.pad_begin[axis], 0);
    band.x_offset = in_from * (g.in_points() / g.in[axis]);
    band.y_offset = out_from * (g.out_points() / g.out[axis]);
    return band;
}

} // namespace

int64_t rows_of_y(const ConvGeometry &geometry) { return geometry.out[row_axis(geometry)]; }

int64_t rows_of_x(const ConvGeometry &geometry) { return geometry.in[row_axis(geometry)]; }

int64_t band_in_points(const ConvGeometry &geometry, int64_t rows)
{
    const size_t axis = row_axis(geometry);
    const int64_t reach = (rows - 1) * geometry.stride[axis] + geometry.kernel_extent(axis);
    return std::min(reach, geometry.in[axis]) * (geometry.in_points() / geometry.in[axis]);
}

bool can_band(const ConvGeometry &geometry)
{
    const size_t axis = row_axis(geometry);
    const int64_t extent = geometry.kernel_extent(axis);
    return geometry.pad_begin[axis] < extent && geometry.pad_end[axis] < extent &&
           geometry.stride[axis] <= extent;
}

std::vector<Band> bands_of_y(const ConvGeometry &geometry, int64_t rows)
{
    const size_t axis = row_axis(geometry);
    std::vector<Band> bands;
    for (int64_t from = 0; from < geometry.out[axis]; from += rows) {
        const int64_t to = std::min(from + rows, geometry.out[axis]);
        const int64_t first = from * geometry.stride[axis] - geometry.pad_begin[axis];
        const int64_t last = (to - 1) * geometry.stride[axis] - geometry.pad_begin[axis] +
                             geometry.kernel_extent(axis);
        bands.push_back(make_band(geometry, std::max<int64_t>(first, 0),
                                  std::min(last, geometry.in[axis]), from, to));
    }
    return bands;
}

std::vector<Band> bands_of_x(const ConvGeometry &geometry, int64_t rows)
{
    const size_t axis = row_axis(geometry);
    const int64_t stride = geometry.stride[axis];
    const int64_t pad = geometry.pad_begin[axis];
    const int64_t extent = geometry.kernel_extent(axis);
    std::vector<Band> bands;
    for (int64_t from = 0; from < geometry.in[axis]; from += rows) {
        const int64_t to = std::min(from + rows, geometry.in[axis]);
        // Row o of y meets rows [o * stride - pad, o * stride - pad + extent).
        const int64_t first = ceil_div(std::max<int64_t>(from + pad - extent + 1, 0), stride);
        const int64_t last = std::min((to - 1 + pad) / stride + 1, geometry.out[axis]);
        if (first < last) {
            bands.push_back(make_band(geometry, from, to, first, last));
        }
        else { // the last rows meet no window: they go with the band before
            bands.back().geometry.in[axis] += to - from;
        }
    }
    return bands;
}

} // namespace xconv
