#include <algorithm>
#include <type_traits>

#include "cpu/combine_split.hpp"
#include "cpu/deflation.hpp"
#include "cpu/mix.hpp"
#include "cpu/signs.hpp"
#include "cpu/tile_ones.hpp"

namespace xconv::cpu {

namespace {

/// Probes for which cutting dy in pieces for the matrix units pays.
constexpr int64_t kLeastForUnits = kColumnGroup + 1;

/// `terms` rows of a tile of `in`, as they lie or widened into scratch. They have as many
/// columns as may be read.
template <class T, class In>
ConstMatrix tile_rows(const SimdVariant &simd, ConstMatrix in, int64_t k, int64_t terms,
                      const Tile &tile, T *scratch)
{
    const In *from = row<In>(in, k) + tile.position;
    if constexpr (std::is_same_v<In, T>) {
        return {from, terms, in.cols - tile.position, in.stride};
    }
    else {
        for (int64_t i = 0; i < terms; ++i) {
            simd.halves<In>().widen(from + i * in.stride, tile.length, scratch + i * kMixRun);
        }
        return {scratch, terms, tile.length, kMixRun};
    }
}

template <class T> Coefficients<T> transposed(ConstMatrix coefficients)
{
    return {row<T>(coefficients, 0), coefficients.stride, 1, coefficients.rows};
}

/// Bytes of sums that stay in the second-level cache beside a tile.
constexpr int64_t kMostSums = 1 << 19;

/// combine_and_sum() in tiles of whole lines.
template <class T, class In>
void combine_lines(const ProbeOps &ops, const ConvGeometry &g, const LineTiles &tiles,
                   const Meetings &meetings, ConstMatrix coefficients, ConstMatrix dy, Matrix out,
                   T *ones)
{
    const int threads = ops.threads_for(out.rows, g.batch, out.cols);
    parallel_for(threads, threads, [&](int64_t worker) {
        TileOnes<T> sums(g, meetings, *ops.simd, tiles, 0, g.batch, ones);
        const Interval share = tiles.share(worker, threads);
        for (int64_t t = share.first; t < share.last; ++t) {
            const LineTile at = tiles[t];
            int64_t summed = 0; // later passes see the rows once more
            const auto source = [&](int64_t first, int64_t terms, const Tile &tile, T *scratch) {
                const ConstMatrix rows =
                    tile_rows<T, In>(*ops.simd, dy, first, terms, tile, scratch);
                if (first == summed) {
                    // As many images as the sums take at once, unless they are widened here.
                    const int64_t images =
                        is_half<In> ? terms : std::min(kImageBatch, g.batch - first);
                    sums.add(at, first, row<T>(rows, 0), rows.stride, images);
                    summed += images;
                }
                return rows;
            };
            const auto zero = [](int64_t) { return T(0); };
            mix_tile(ops.simd->kernels<T>(), transposed<T>(coefficients), at.tile, out, zero,
                     source);
            if (at.last) {
                sums.close(at);
            }
        }
    });
}

} // namespace

void ProbeOps::combine(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                       Matrix out) const
{
    if constexpr (signs::kCompiled) {
        if (combines_on_units(dtype, out.rows)) {
            combine_split(threads, {dtype, coefficients, in}, columns, out);
            return;
        }
    }
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        mix_tiles<T>(*this, transposed<T>(coefficients), columns, nullptr, out,
                     [&](int64_t k, int64_t terms, const Tile &tile, T *scratch) {
                         return tile_rows<T, In>(*simd, in, k, terms, tile, scratch);
                     });
    });
}

void ProbeOps::combine_and_sum(const ConvGeometry &g, Interval places, ConstMatrix coefficients,
                               const void *dy, Matrix out, void *ones) const
{
    const bool on_units = combines_on_units(g.dtype, out.rows);
    const LineTiles tiles(g, places, on_units ? kSplitRun : mix_run(out.rows));
    const Meetings meetings = meetings_of(g);
    if (!tiles.shares_evenly(threads) ||
        TileOnes<double>::bytes(meetings, tiles, on_units ? kSplitDepth : g.batch) > kMostSums) {
        const PlacesOfY in(g, places, dy);
        combine(g.dtype, coefficients, in.rows, in.columns, out);
        DeflationOps{threads, simd}.filter_of_ones(g, places, dy, ones);
        return;
    }
    const ConstMatrix in{dy, g.batch, g.y_sample(), g.y_sample()};
    if constexpr (signs::kCompiled) {
        if (on_units) {
            combine_split_and_sum(*simd, threads, g, tiles, meetings, coefficients, dy, out,
                                  static_cast<float *>(ones));
            return;
        }
    }
    with_tensor_type(g.dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        combine_lines<T, In>(*this, g, tiles, meetings, coefficients, in, out,
                             static_cast<T *>(ones));
    });
}

bool ProbeOps::combines_on_units(Dtype dtype, int64_t rows) const
{
    return matrix_units && compute_dtype(dtype) == Dtype::f32 && rows >= kLeastForUnits;
}

} // namespace xconv::cpu
