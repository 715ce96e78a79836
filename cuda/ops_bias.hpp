// The bias of a convolution, forward and backward.
#pragma once

#include "cuda/stream.hpp"
#include "geometry.hpp"

namespace xconv::cuda {

/// y[b][c] = bias[c] at every place, for products to be added to.
void spread_bias(Stream stream, const ConvGeometry &g, const void *bias, void *y);

/// Bytes of scratch memory that backward_bias needs, at most.
inline constexpr int64_t kBiasScratch = 16384;

/// db[c] = sum of dy over batch and space + beta * db[c].
void backward_bias(Stream stream, const ConvGeometry &g, const void *dy, double beta,
                   Dtype db_dtype, void *db, void *scratch);

} // namespace xconv::cuda
