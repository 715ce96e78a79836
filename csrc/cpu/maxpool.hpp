// Max pooling that keeps the winner's place in its window, in a few bits.
#pragma once

#include <cstdint>

#include "geometry.hpp"

namespace xconv::cpu {

/// The place of a winner counts all places of the kernel in row-major order,
/// padding included. Output i has bits [i * index_bits, (i + 1) * index_bits) of
/// the index, lowest first. The first of equals wins, the first NaN over all.
/// index may be null.
void maxpool_forward(const PoolGeometry &g, const void *x, void *y, uint8_t *index, int threads);
/// dx = dy added up at the winners, 0 elsewhere.
void maxpool_backward(const PoolGeometry &g, const uint8_t *index, const void *dy, void *dx,
                      int threads);

} // namespace xconv::cpu
