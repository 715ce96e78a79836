// Sums of rows on matrix units, for numbers in Float32; see signs.hpp. For where
// signs::available().
#pragma once

#include "backend.hpp"
#include "cpu/simd.hpp"
#include "cpu/tile_ones.hpp"

namespace xconv::cpu {

/// The longest tile, and rows of input that are taken at a time.
inline constexpr int64_t kSplitRun = 128;
inline constexpr int64_t kSplitDepth = 128;

/// out(j, m) = sum over b of coefficients(b, j) * in(b, place m of columns); in is of
/// `dtype`.
struct SplitSum {
    Dtype dtype;
    ConstMatrix coefficients;
    ConstMatrix in;
};

void combine_split(int threads, const SplitSum &sum, Runs columns, Matrix out);
/// Backend::combine_and_sum, in tiles of at most kSplitRun places.
void combine_split_and_sum(const SimdVariant &simd, int threads, const ConvGeometry &geometry,
                           const LineTiles &tiles, const Meetings &meetings,
                           ConstMatrix coefficients, const void *dy, Matrix out, float *ones);

} // namespace xconv::cpu
