// Sums of rows, tile by tile in the cache: what expand() and combine() have in common.
#pragma once

#include <algorithm>
#include <utility>

#include "cpu/parallel.hpp"
#include "cpu/probes.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

/// Coefficients of sums: that of term k in row i is data[k * k_stride + i * i_stride].
template <class T> struct Coefficients {
    const T *data;
    int64_t k_stride;
    int64_t i_stride;
    int64_t depth; // terms
};

/// The longest tile for sums of so many rows: they stay in the cache.
inline int64_t mix_run(int64_t rows) { return rows <= kMixRows / 2 ? kMixRun : kMixRun / 2; }

/// out(i, m) for the columns of a tile, in passes of kMixRows rows, from `begin(i)` on and
/// fed by `source(k, terms, tile, scratch)`, which returns `terms` <= kColumnGroup rows of
/// input, once for each pass. What they have behind the tile is read too, and ignored.
template <class T, class Begin, class Source>
void mix_tile(const Kernels<T> &kernels, const Coefficients<T> &c, const Tile &tile, Matrix out,
              Begin &&begin, Source &&source)
{
    alignas(64) T sums[kMixRows * kMixRun];
    alignas(64) T scratch[kColumnGroup * kMixRun];
    for (int64_t i = 0; i < out.rows; i += kMixRows) {
        const int64_t rows = std::min(kMixRows, out.rows - i);
        for (int64_t r = 0; r < rows; ++r) {
            std::fill_n(sums + r * kMixRun, kMixRun, begin(i + r));
        }
        for (int64_t k = 0; k < c.depth; k += kColumnGroup) {
            const int64_t terms = std::min(kColumnGroup, c.depth - k);
            const ConstMatrix in = source(k, terms, tile, scratch);
            const int64_t run = std::min(round_up(tile.length, kMixUnit), in.cols);
            kernels.mix(c.data + k * c.k_stride + i * c.i_stride, c.k_stride, c.i_stride, rows,
                        terms, row<T>(in, 0), in.stride, run, sums);
        }
        for (int64_t r = 0; r < rows; ++r) {
            std::copy(sums + r * kMixRun, sums + r * kMixRun + tile.length,
                      row<T>(out, i + r) + tile.place);
        }
    }
}

/// All tiles of the columns of out, from `constants` on unless null.
template <class T, class Source>
void mix_tiles(const ProbeOps &ops, const Coefficients<T> &c, Runs columns,
               const RunConstants *constants, Matrix out, Source &&source)
{
    const Tiling tiles{columns, mix_run(out.rows)};
    parallel_for(
        ops.threads_for(out.rows, c.depth, columns.total()), tiles.count(), [&](int64_t index) {
            const auto begin = [&](int64_t i) {
                return constants == nullptr ? T(0) : constant<T>(*constants, i, tiles.run(index));
            };
            mix_tile(ops.simd->kernels<T>(), c, tiles[index], out, begin, source);
        });
}

} // namespace xconv::cpu
