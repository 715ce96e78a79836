// Bands: a convolution done a few rows at a time, for images so large that even
// one of them does not fit a pass's workspace. A band is a convolution of its
// own, on rows of the same tensors. Rows run along the slowest spatial axis.
#pragma once

#include <cstdint>
#include <vector>

#include "geometry.hpp"

namespace xconv {

struct Band {
    ConvGeometry geometry; // channel strides are those of the whole tensors
    int64_t x_offset;      // elements from x to the band's first row
    int64_t y_offset;
};

/// Whether a geometry can be cut so; not when windows may lie wholly in padding
/// or skip rows of x.
bool can_band(const ConvGeometry &geometry);

/// Bands of at most `rows` rows of y, each with all rows of x that they need.
std::vector<Band> bands_of_y(const ConvGeometry &geometry, int64_t rows);
/// Bands of at most `rows` rows of x, each with all rows of y that meet them.
std::vector<Band> bands_of_x(const ConvGeometry &geometry, int64_t rows);

/// Rows of y, and of x.
int64_t rows_of_y(const ConvGeometry &geometry);
int64_t rows_of_x(const ConvGeometry &geometry);

/// The fewest rows a band should have, so that bands stay countable.
inline int64_t least_band_rows(int64_t rows)
{
    constexpr int64_t most_bands = 256;
    return (rows + most_bands - 1) / most_bands;
}

/// Elements of a channel of x that a band of so many rows of y meets, at most.
int64_t band_in_points(const ConvGeometry &geometry, int64_t rows);

} // namespace xconv
