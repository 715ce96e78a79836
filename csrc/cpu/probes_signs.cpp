#include "cpu/probes_signs.hpp"

#include <algorithm>

#include "cpu/sign_products.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

using namespace signs;

namespace {

constexpr int64_t kExpandRun = kWidest;      // places of a tile
constexpr int64_t kExpandDepth = 2 * kDepth; // probes at a time
constexpr int64_t kExpandBlocks = kExpandRun / kLanes;

/// What `begun` sums of a tile are is added to.
void expand_tile(DrawBits draw_bits, const Probes &probes, const Tile &tile,
                 ConstMatrix coefficients, bool begun, Matrix out)
{
    constexpr int64_t stride = kExpandRun / 32 * kLanes;
    alignas(64) uint32_t words[kExpandDepth / kLanes * stride];
    alignas(64) uint32_t pairs[kExpandBlocks * kExpandDepth / kDepth * kPairedTile];
    alignas(64) uint16_t tiles[kExpandDepth / kDepth * kSplitTile];
    const Units units(out.rows);
    for (int64_t j = 0; j < coefficients.cols; j += kExpandDepth) {
        const int64_t columns = std::min(kExpandDepth, coefficients.cols - j);
        const int64_t steps = ceil_div(columns, kDepth);
        for (int64_t i = 0; i < steps * kDepth; i += kLanes) { // those past the end meet 0
            draw_columns(draw_bits, probes.shifted(tile.position, j + i), tile.length,
                         words + i / kLanes * stride);
        }
        pair_probes(words, stride, steps, tile.length, pairs);
        const uint32_t *paired[kExpandBlocks];
        for (int64_t i = 0; i < kExpandBlocks; ++i) {
            paired[i] = pairs + i * steps * kPairedTile;
        }
        for (int64_t i = 0; i < out.rows; i += kLanes) {
            const int64_t rows = std::min(kLanes, out.rows - i);
            split(row<float>(coefficients, i) + j, coefficients.stride, rows, columns, columns,
                  tiles);
            multiply_into(
                packed_product(tiles, paired, steps, ceil_div(tile.length, kLanes), begun || j > 0),
                row<float>(out, i) + tile.place, out.stride, rows, tile.length,
                rows == std::min(kLanes, out.rows), multiply_signs);
        }
    }
}

} // namespace

void expand_signs(DrawBits draw_bits, int threads, const Probes &probes, Runs rows,
                  ConstMatrix coefficients, const RunConstants *constants, Matrix out)
{
    const Tiling tiles{rows, kExpandRun};
    parallel_for(threads_for(threads, out.rows, coefficients.cols, rows.total()), tiles.count(),
                 [&](int64_t index) {
                     const Tile tile = tiles[index];
                     for (int64_t i = 0; constants != nullptr && i < out.rows; ++i) {
                         std::fill_n(row<float>(out, i) + tile.place, tile.length,
                                     constant<float>(*constants, i, tiles.run(index)));
                     }
                     expand_tile(draw_bits, probes, tile, coefficients, constants != nullptr, out);
                 });
}

} // namespace xconv::cpu
