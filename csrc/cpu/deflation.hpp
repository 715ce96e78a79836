// What mean deflation needs of tensors: means of channels, and sums of dy over the
// outputs at which a place of the kernel meets x.
#pragma once

#include "backend.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// Backend::row_means and filter_of_ones, with the thread count and the inner loops
/// made explicit.
struct DeflationOps {
    int threads;
    const SimdVariant *simd;

    void row_means(Dtype dtype, ConstMatrix x, void *means) const;
    void filter_of_ones(const ConvGeometry &geometry, const void *dy, void *sums) const;
};

} // namespace xconv::cpu
