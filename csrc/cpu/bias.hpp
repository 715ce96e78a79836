// Gradient of the bias.
#pragma once

#include "geometry.hpp"

namespace xconv::cpu {

/// db[c] = sum of dy over batch and space + beta * db[c]; sums run in double.
void backward_bias(const ConvGeometry &g, const void *dy, double beta, Dtype db_dtype, void *db,
                   int threads);

} // namespace xconv::cpu
