// What mean deflation needs of tensors: means of channels, and sums of dy over the
// outputs at which a place of the kernel meets x.
#pragma once

#include "backend.hpp"

namespace xconv::cpu {

void row_means(Dtype dtype, ConstMatrix x, void *means, int threads);
void filter_of_ones(const ConvGeometry &geometry, const void *dy, void *sums, int threads);

} // namespace xconv::cpu
