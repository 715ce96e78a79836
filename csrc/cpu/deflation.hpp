// What mean deflation needs of dy: its sums over the outputs at which a place of the
// kernel meets x.
#pragma once

#include "backend.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// The filter gradient of dy, image by image, for an input of ones with one channel.
class OnesFilter {
  public:
    explicit OnesFilter(const ConvGeometry &geometry);

    /// sums [count][K] of images of dy, `stride` elements apart; of sums, `sums_stride`
    /// numbers.
    void run(const SimdVariant &simd, const void *dy, int64_t stride, int64_t count, void *sums,
             int64_t sums_stride) const;

  private:
    Dtype dtype_;
    Meetings meetings_;
};

/// Backend::filter_of_ones, with the thread count and the inner loops
/// made explicit.
struct DeflationOps {
    int threads;
    const SimdVariant *simd;

    void filter_of_ones(const ConvGeometry &geometry, const void *dy, void *sums) const;
};

} // namespace xconv::cpu
