#include "cpu/combine_split.hpp"

#include <algorithm>

#include "cpu/sign_products.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

using namespace signs;

namespace {

constexpr int64_t kCombineBlocks = 2; // of rows of output at a time
static_assert(kSplitRun <= kWidest && kSplitDepth % kDepth == 0);

/// Some rows of input, and the coefficients with which they enter some rows of
/// output.
class Combination {
  public:
    Combination(const SplitSum &sum, Matrix out, int64_t first_in, int64_t first_out)
        : dtype_(sum.dtype), in_(sum.in), out_(out), first_in_(first_in), first_out_(first_out),
          depth_(std::min(kSplitDepth, in_.rows - first_in)),
          rows_(std::min(kCombineBlocks * kLanes, out.rows - first_out)),
          steps_(ceil_div(depth_, kDepth))
    {
        alignas(64) float turned[kLanes * kSplitDepth];
        for (int64_t i = 0; i < rows_; i += kLanes) {
            const int64_t count = std::min(kLanes, rows_ - i);
            for (int64_t k = 0; k < depth_; ++k) {
                const float *from = row<float>(sum.coefficients, first_in + k) + first_out + i;
                for (int64_t lane = 0; lane < count; ++lane) {
                    turned[lane * kSplitDepth + k] = from[lane];
                }
            }
            split(turned, kSplitDepth, count, depth_, 0, tiles_[i / kLanes]);
        }
    }

    /// Of the output's places of a tile; visit(first row, rows, count) sees the input's
    /// rows, a few at a time.
    template <class Visit> void add(const Tile &tile, Visit &&visit) const
    {
        alignas(64)
            uint32_t pairs[kSplitRun / kLanes * kSplitDepth / kDepth * kPieces * kPairedTile];
        alignas(64) float wide[kDepth * kSplitRun];
        const int64_t one = steps_ * kPieces * kPairedTile;
        const int64_t blocks = ceil_div(tile.length, kLanes);
        for (int64_t step = 0; step < steps_; ++step) {
            const int64_t first = first_in_ + step * kDepth;
            const int64_t rows = std::min(kDepth, first_in_ + depth_ - first);
            const FloatRows from =
                float_rows(dtype_, in_, first, rows, tile.position, tile.length, wide, kSplitRun);
            pair_rows(from.data, from.stride, rows, tile.length, one,
                      pairs + step * kPieces * kPairedTile);
            visit(first, from, rows);
        }
        const uint32_t *paired[kSplitRun / kLanes];
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
    alignas(64) uint16_t tiles_[kCombineBlocks][kSplitDepth / kDepth * kSplitTile];
};

/// Calls f(combination, first row of output, first row of input, rows of input).
template <class F> void for_combinations(const SplitSum &sum, Matrix out, F &&f)
{
    const Units units(out.rows);
    for (int64_t i = 0; i < out.rows; i += kCombineBlocks * kLanes) {
        for (int64_t k = 0; k < sum.in.rows; k += kSplitDepth) {
            f(Combination(sum, out, k, i), i, k, std::min(kSplitDepth, sum.in.rows - k));
        }
    }
}

constexpr auto unseen = [](int64_t, const FloatRows &, int64_t) {};

} // namespace

void combine_split(int threads, const SplitSum &sum, Runs columns, Matrix out)
{
    const Tiling tiles{columns, kSplitRun};
    const int used = threads_for(threads, out.rows, sum.in.rows, columns.total());
    parallel_for(used, used, [&](int64_t thread) {
        const auto combine = [&](const Combination &combination, int64_t, int64_t, int64_t) {
            const int64_t end = tiles.count() * (thread + 1) / used;
            for (int64_t t = tiles.count() * thread / used; t < end; ++t) {
                combination.add(tiles[t], unseen);
            }
        };
        for_combinations(sum, out, combine);
    });
}

void combine_split_and_sum(const SimdVariant &simd, int threads, const ConvGeometry &g,
                           const LineTiles &tiles, const Meetings &meetings,
                           ConstMatrix coefficients, const void *dy, Matrix out, float *ones)
{
    const ConstMatrix in{dy, g.batch, g.y_sample(), g.y_sample()};
    const int used = threads_for(threads, out.rows, in.rows, out.cols);
    parallel_for(used, used, [&](int64_t thread) {
        const Interval share = tiles.share(thread, used);
        const auto combine = [&](const Combination &combination, int64_t row, int64_t first,
                                 int64_t images) {
            TileOnes<float> sums(g, meetings, simd, tiles, first, images, ones);
            for (int64_t t = share.first; t < share.last; ++t) {
                const LineTile at = tiles[t];
                if (row > 0) {
                    combination.add(at.tile, unseen);
                    continue;
                }
                combination.add(at.tile, [&](int64_t image, const FloatRows &rows, int64_t count) {
                    sums.add(at, image, rows.data, rows.stride, count);
                });
                if (at.last) {
                    sums.close(at);
                }
            }
        };
        for_combinations({g.dtype, coefficients, in}, out, combine);
    });
}

} // namespace xconv::cpu
