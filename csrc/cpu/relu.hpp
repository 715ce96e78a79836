// ReLU, leaky ReLU and clipped ReLU that keep one bit per element.
#pragma once

#include <cstdint>

#include "dtype.hpp"

namespace xconv::cpu {

/// Bit i of mask (byte i / 8, bit i % 8) is set where the derivative is 1, that
/// is unless x <= 0 or x >= ceiling; NaN sets it, and so does infinity where the
/// ceiling is infinite. mask may be null, y may be x.
void relu_forward(Dtype dtype, int64_t count, double negative_slope, double ceiling, const void *x,
                  void *y, uint8_t *mask, int threads);
/// dx = dy where the bit is set, negative_slope * dy elsewhere; dx may be dy.
void relu_backward(Dtype dtype, int64_t count, double negative_slope, const uint8_t *mask,
                   const void *dy, void *dx, int threads);

} // namespace xconv::cpu
