// ReLU in one bit and max pooling in a few: as Backend and its CPU files document
// them.
#pragma once

#include "cuda/stream.hpp"
#include "geometry.hpp"

namespace xconv::cuda {

void relu_forward(Stream stream, Dtype dtype, int64_t count, double negative_slope, double ceiling,
                  const void *x, void *y, uint8_t *mask);
void relu_backward(Stream stream, Dtype dtype, int64_t count, double negative_slope,
                   const uint8_t *mask, const void *dy, void *dx);
void maxpool_forward(Stream stream, const PoolGeometry &g, const void *x, void *y, uint8_t *index);
void maxpool_backward(Stream stream, const PoolGeometry &g, const uint8_t *index, const void *dy,
                      void *dx);

} // namespace xconv::cuda
