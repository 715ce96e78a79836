#include <algorithm>
#include <type_traits>

#include "cpu/deflation.hpp"
#include "cpu/mix.hpp"
#include "cpu/probes_signs.hpp"

namespace xconv::cpu {

namespace {

/// Probes for which cutting dy in pieces for the matrix units pays.
constexpr int64_t kLeastForUnits = kColumnGroup + 1;

/// `terms` rows of a tile of `in`, as they lie or widened into scratch.
template <class T, class In>
ConstMatrix tile_rows(const SimdVariant &simd, ConstMatrix in, int64_t k, int64_t terms,
                      const Tile &tile, T *scratch)
{
    const In *from = row<In>(in, k) + tile.position;
    if constexpr (std::is_same_v<In, T>) {
        return {from, terms, tile.length, in.stride};
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

/// Whether so many channels, shared out whole, keep the threads busy.
bool shares_evenly(int64_t channels, int threads)
{
    return 8 * channels >= 7 * ceil_div(channels, threads) * threads;
}

/// combine_and_sum() where a tile holds whole lines of y, channel by channel.
template <class T, class In>
void combine_channels(const ProbeOps &ops, const ConvGeometry &g, ConstMatrix coefficients,
                      ConstMatrix dy, Matrix out, T *ones)
{
    const OnesFilter filter(g);
    const int64_t width = g.out[2];
    const Tiling tiles{{g.out_channels, g.out_points(), g.y_channel},
                       mix_run(out.rows) / width * width};
    const int64_t k = g.kernel_points();
    const int threads = ops.threads_for(out.rows, g.batch, g.out_channels * g.out_points());
    parallel_for(threads, g.out_channels, [&](int64_t channel) {
        OnesSums<T> sums(filter.meetings(), *ops.simd, g.batch);
        for (int64_t t = 0; t < tiles.per_run(); ++t) {
            const Tile tile = tiles[channel * tiles.per_run() + t];
            const int64_t line = (tile.place - channel * g.out_points()) / width;
            // As many images as the sums take at once, unless they have to be widened.
            constexpr int64_t at_once = is_half<In> ? kColumnGroup : kImageBatch;
            int64_t summed = 0; // later passes see the rows once more
            const auto source = [&](int64_t first, int64_t terms, const Tile &, T *scratch) {
                const ConstMatrix rows =
                    tile_rows<T, In>(*ops.simd, dy, first, terms, tile, scratch);
                if (first == summed) {
                    const int64_t images = std::min(at_once, g.batch - first);
                    sums.add(first,
                             {row<T>(rows, 0), rows.stride, images, line, tile.length / width});
                    summed += images;
                }
                return rows;
            };
            mix_tile(ops.simd->kernels<T>(), transposed<T>(coefficients), tile, out, source);
        }
        sums.finish(g.batch, ones + channel * k, g.out_channels * k);
    });
}

} // namespace

void ProbeOps::combine(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                       Matrix out) const
{
    if (combines_on_units(dtype, out.rows)) {
        combine_split(threads, dtype, coefficients, in, columns, out);
        return;
    }
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        mix_tiles<T>(*this, transposed<T>(coefficients), columns, out,
                     [&](int64_t k, int64_t terms, const Tile &tile, T *scratch) {
                         return tile_rows<T, In>(*simd, in, k, terms, tile, scratch);
                     });
    });
}

void ProbeOps::combine_and_sum(const ConvGeometry &g, ConstMatrix coefficients, const void *dy,
                               Matrix out, void *ones) const
{
    const ConstMatrix in{dy, g.batch, g.y_sample(), g.y_sample()};
    if (combines_on_units(g.dtype, out.rows) || g.out[2] > mix_run(out.rows) ||
        !shares_evenly(g.out_channels, threads)) {
        combine(g.dtype, coefficients, in, {g.out_channels, g.out_points(), g.y_channel}, out);
        DeflationOps{threads, simd}.filter_of_ones(g, dy, ones);
        return;
    }
    with_tensor_type(g.dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        combine_channels<T, In>(*this, g, coefficients, in, out, static_cast<T *>(ones));
    });
}

bool ProbeOps::combines_on_units(Dtype dtype, int64_t rows) const
{
    return matrix_units && compute_dtype(dtype) == Dtype::f32 && rows >= kLeastForUnits;
}

} // namespace xconv::cpu
