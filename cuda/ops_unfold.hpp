// A convolution's input as a matrix, and back.
#pragma once

#include "cuda/stream.hpp"
#include "geometry.hpp"

namespace xconv::cuda {

/// matrix [channel][kd][kh][kw][sample][place of the output]: what each place of the
/// kernel meets of `channels` channels from x on; samples are g.batch. Moves bits:
/// of the element type only its size matters.
void unfold(Stream stream, const ConvGeometry &g, int64_t channels, const void *x, void *matrix);

/// The transpose: every element of x becomes the sum of the elements of `matrix`,
/// numbers, that were read from it.
void fold(Stream stream, const ConvGeometry &g, int64_t channels, const void *matrix, void *x);

} // namespace xconv::cuda
