#include "cpu/probes_signs.hpp"

#include <algorithm>

#include "cpu/sign_products.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

using namespace signs;

// ------------------------------------------------------------------ expanding

namespace {

constexpr int64_t kExpandRun = kWidest;      // places of a tile
constexpr int64_t kExpandDepth = 2 * kDepth; // probes at a time
constexpr int64_t kExpandBlocks = kExpandRun / kLanes;

void expand_tile(DrawBits draw_bits, const Probes &probes, const Tile &tile,
                 ConstMatrix coefficients, Matrix out)
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
            split(row<float>(coefficients, i) + j, coefficients.stride, rows, columns, tiles);
            multiply_into(
                packed_product(tiles, paired, steps, ceil_div(tile.length, kLanes), j > 0),
                row<float>(out, i) + tile.place, out.stride, rows, tile.length,
                rows == std::min(kLanes, out.rows), multiply_signs);
        }
    }
}

} // namespace

void expand_signs(DrawBits draw_bits, int threads, const Probes &probes, Runs rows,
                  ConstMatrix coefficients, Matrix out)
{
    const Tiling tiles{rows, kExpandRun};
    parallel_for(
        threads_for(threads, out.rows, coefficients.cols, rows.total()), tiles.count(),
        [&](int64_t index) { expand_tile(draw_bits, probes, tiles[index], coefficients, out); });
}

// ------------------------------------------------------------------ combining

namespace {

constexpr int64_t kCombineRun = 128;          // places of a tile
constexpr int64_t kCombineDepth = 4 * kDepth; // rows of input at a time
constexpr int64_t kCombineBlocks = 2;         // of rows of output at a time
static_assert(kCombineRun <= kWidest);

/// Some rows of input, and the coefficients with which they enter some rows of
/// output.
class Combination {
  public:
    Combination(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Matrix out, int64_t first_in,
                int64_t first_out)
        : dtype_(dtype), in_(in), out_(out), first_in_(first_in), first_out_(first_out),
          depth_(std::min(kCombineDepth, in.rows - first_in)),
          rows_(std::min(kCombineBlocks * kLanes, out.rows - first_out)),
          steps_(ceil_div(depth_, kDepth))
    {
        alignas(64) float turned[kLanes * kCombineDepth];
        for (int64_t i = 0; i < rows_; i += kLanes) {
            const int64_t count = std::min(kLanes, rows_ - i);
            for (int64_t k = 0; k < depth_; ++k) {
                const float *from = row<float>(coefficients, first_in + k) + first_out + i;
                for (int64_t lane = 0; lane < count; ++lane) {
                    turned[lane * kCombineDepth + k] = from[lane];
                }
            }
            split(turned, kCombineDepth, count, depth_, tiles_[i / kLanes]);
        }
    }

    void add(const Tile &tile) const
    {
        alignas(64)
            uint32_t pairs[kCombineRun / kLanes * kCombineDepth / kDepth * kPieces * kPairedTile];
        const int64_t one = steps_ * kPieces * kPairedTile;
        const int64_t blocks = ceil_div(tile.length, kLanes);
        alignas(64) float wide[kCombineDepth * kCombineRun];
        const FloatRows from = float_rows(dtype_, in_, first_in_, depth_, tile.position,
                                          tile.length, wide, kCombineRun);
        pair_rows(from.data, from.stride, depth_, tile.length, pairs);
        const uint32_t *paired[kCombineRun / kLanes];
        for (int64_t i = 0; i < blocks; ++i) {
            paired[i] = pairs + i * one;
        }
        for (int64_t i = 0; i < rows_; i += kLanes) {
            add_rows(tile, i, paired, blocks);
        }
    }

  private:
    void add_rows(const Tile &tile, int64_t i, const uint32_t *const *paired, int64_t blocks) const
    {
        const int64_t rows = std::min(kLanes, rows_ - i);
        Product product = packed_product(tiles_[i / kLanes], paired, steps_, blocks, first_in_ > 0);
        product.paired_step = kPieces * kPairedTile;
        multiply_into(product, row<float>(out_, first_out_ + i) + tile.place, out_.stride, rows,
                      tile.length, rows == std::min(kLanes, out_.rows), multiply_numbers);
    }

    Dtype dtype_;
    ConstMatrix in_;
    Matrix out_;
    int64_t first_in_, first_out_;
    int64_t depth_, rows_, steps_;
    alignas(64) uint16_t tiles_[kCombineBlocks][kCombineDepth / kDepth * kSplitTile];
};

} // namespace

void combine_split(int threads, Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                   Matrix out)
{
    const Tiling tiles{columns, kCombineRun};
    const int used = threads_for(threads, out.rows, in.rows, columns.total());
    parallel_for(used, used, [&](int64_t thread) {
        const Units units(out.rows);
        for (int64_t i = 0; i < out.rows; i += kCombineBlocks * kLanes) {
            for (int64_t k = 0; k < in.rows; k += kCombineDepth) {
                const Combination combination(dtype, coefficients, in, out, k, i);
                const int64_t end = tiles.count() * (thread + 1) / used;
                for (int64_t t = tiles.count() * thread / used; t < end; ++t) {
                    combination.add(tiles[t]);
                }
            }
        }
    });
}

} // namespace xconv::cpu
