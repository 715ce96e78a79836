#include <algorithm>
#include <optional>

#include "cpu/channel_sums.hpp"
#include "cpu/probes_signs.hpp"
#include "cpu/sign_products.hpp"
#include "workspace.hpp"

namespace xconv::cpu {

using namespace signs;

namespace {

/// x is summed in at most kSegments segments, each by one thread, and then the
/// segments in order, so that no sum depends on who computed it.
constexpr int64_t kSegments = 256;
constexpr int64_t kLeastSegment = 2048;
/// Places of x, and blocks of columns, that are in the cache together.
constexpr int64_t kRun = 256;
constexpr int64_t kColumnBlocks = 4;
/// Partial sums stay below this, by taking fewer columns at a time.
constexpr int64_t kPartialBytes = int64_t{4} << 20;

/// How the partial sums of project_signs() lie: [segment][row block][column block].
struct Partial {
    int64_t segment; // places
    int64_t segments;
    int64_t row_blocks;
    int64_t column_blocks = 1; // at a time

    Partial(int64_t rows, int64_t length, int64_t columns)
        : segment(std::max(kLeastSegment, round_up(ceil_div(length, kSegments), kRun))),
          segments(ceil_div(length, segment)), row_blocks(ceil_div(rows, kLanes))
    {
        const int64_t one = block_bytes();
        column_blocks =
            std::min(ceil_div(columns, kLanes),
                     std::max(kColumnBlocks, kPartialBytes / one / kColumnBlocks * kColumnBlocks));
    }
    [[nodiscard]] int64_t block_bytes() const
    {
        constexpr int64_t tile = kSumTile * static_cast<int64_t>(sizeof(float));
        return checked_mul(checked_mul(segments, row_blocks, "sketch"), tile, "sketch");
    }
    [[nodiscard]] int64_t at(int64_t index, int64_t row_block, int64_t column_block) const
    {
        return ((index * row_blocks + row_block) * column_blocks + column_block) * kSumTile;
    }
};

/// Pairs of the signs at up to kRun places, for up to kColumnBlocks blocks of columns.
struct SignRun {
    alignas(64) uint32_t words[kRun / 32 * kLanes];
    alignas(64) uint32_t pairs[kColumnBlocks][kRun / kDepth * kPairedTile];

    void draw(DrawBits draw_bits, const Probes &probes, int64_t length, int64_t columns)
    {
        for (int64_t j = 0; j < columns; j += kLanes) {
            draw_columns(draw_bits, probes.shifted(0, j), length, words);
            pair_words(words, ceil_div(length, kDepth), pairs[j / kLanes]);
        }
    }
};

/// The sums of channels of a run of x, beside its projection. A channel that fills the
/// run is summed while x is split; several channels are each a column of ones and zeros
/// that x is multiplied by.
class ChannelRun {
  public:
    ChannelRun(const ChannelSums &channels, const SumKernels<float> &kernels, int64_t place,
               int64_t length)
        : channels_(channels), kernels_(kernels), place_(place), length_(length),
          count_(channels.channels_in(place, length))
    {
        if (count_ == 1 || count_ > kLanes) {
            return;
        }
        std::fill(std::begin(ones_), std::end(ones_), uint16_t{0});
        int64_t i = 0;
        for (int64_t lane = 0; lane < count_; ++lane) {
            const int64_t end = std::min(channels.end_of(place + i) - place, length);
            for (; i < end; ++i) {
                ones_[(i / 2 * kLanes + lane) * 2 + i % 2] = kOne;
            }
        }
    }

    /// split() of some rows, and their sums.
    void split_and_add(const FloatRows &x, int64_t first, int64_t rows, uint16_t *tiles) const
    {
        if (count_ == 1) {
            alignas(64) float sums[kLanes];
            split_and_sum(x.data, x.stride, rows, length_, length_, tiles, sums);
            channels_.add_sums(place_, sums, first, rows);
            return;
        }
        split(x.data, x.stride, rows, length_, length_, tiles);
        if (count_ > kLanes) {
            channels_.add(kernels_, x.data, x.stride, first, rows, place_, length_);
            return;
        }
        alignas(64) float sums[kSumTile];
        const auto *paired = reinterpret_cast<const uint32_t *>(ones_);
        Product product = packed_product(tiles, &paired, ceil_div(length_, kDepth), 1, false);
        product.sums = sums;
        product.sums_row = kLanes;
        multiply_signs(product);
        channels_.add_channels(place_, sums, kLanes, first, rows, count_);
    }

  private:
    static constexpr uint16_t kOne = 0x3F80; // in bfloat16

    const ChannelSums &channels_;
    const SumKernels<float> &kernels_;
    int64_t place_;
    int64_t length_;
    int64_t count_;
    alignas(64) uint16_t ones_[kRun * kLanes];
};

/// One segment of x for some blocks of its rows and some columns; and the sums of its
/// channels, unless null.
void project_segment(const SimdVariant &simd, Dtype dtype, const Probes &probes, ConstMatrix x,
                     int64_t from_block, int64_t to_block, int64_t segment, int64_t columns,
                     const Partial &partial, const ChannelSums *channels, float *sums)
{
    const int64_t begin = segment * partial.segment;
    const int64_t end = std::min(begin + partial.segment, x.cols);
    if (channels != nullptr) {
        channels->clear(from_block * kLanes, std::min(to_block * kLanes, x.rows), segment);
    }
    SignRun run;
    alignas(64) uint16_t tiles[kRun / kDepth * kSplitTile];
    alignas(64) float wide[kLanes * kRun];
    const uint32_t *paired[kColumnBlocks];
    for (int64_t i = 0; i < kColumnBlocks; ++i) {
        paired[i] = run.pairs[i];
    }
    for (int64_t p = begin; p < end; p += kRun) {
        const int64_t length = std::min(kRun, end - p);
        std::optional<ChannelRun> channel_run;
        if (channels != nullptr) {
            channel_run.emplace(*channels, *simd.sums->f32, p, length);
        }
        for (int64_t j = 0; j < columns; j += kColumnBlocks * kLanes) {
            const int64_t count = std::min(kColumnBlocks * kLanes, columns - j);
            run.draw(simd.draw_bits, probes.shifted(p, j), length, count);
            for (int64_t block = from_block; block < to_block; ++block) {
                const int64_t first = block * kLanes;
                const int64_t rows = std::min(kLanes, x.rows - first);
                const FloatRows from = float_rows(dtype, x, first, rows, p, length, wide, kRun);
                if (j > 0 || channels == nullptr) {
                    split(from.data, from.stride, rows, length, length, tiles);
                }
                else {
                    channel_run->split_and_add(from, first, rows, tiles);
                }
                Product product = packed_product(tiles, paired, ceil_div(length, kDepth),
                                                 ceil_div(count, kLanes), p > begin);
                product.sums = sums + partial.at(segment, block, j / kLanes);
                product.sums_row = kLanes;
                product.sums_tile = kSumTile;
                multiply_signs(product);
            }
        }
    }
}

void add_segments(const Partial &partial, const float *sums, int64_t i, int64_t columns, float *out)
{
    for (int64_t j = 0; j < columns; j += kLanes) {
        const int64_t count = std::min(kLanes, columns - j);
        float total[kLanes] = {};
        for (int64_t segment = 0; segment < partial.segments; ++segment) {
            const float *tile =
                sums + partial.at(segment, i / kLanes, j / kLanes) + i % kLanes * kLanes;
            for (int64_t lane = 0; lane < kLanes; ++lane) {
                total[lane] += tile[lane];
            }
        }
        std::copy_n(total, count, out + j);
    }
}

} // namespace

int64_t project_signs_workspace(int64_t rows, int64_t length, int64_t columns, int64_t channel)
{
    const Partial partial(rows, length, columns);
    Arena arena(nullptr);
    arena.take(ChannelSums::bytes(rows, length, channel, partial.segment));
    arena.take(checked_mul(partial.block_bytes(), partial.column_blocks, "sketch"));
    return arena.used();
}

void project_signs(const SimdVariant &simd, int threads, Dtype dtype, const Probes &probes,
                   ConstMatrix x, Matrix out, const ChannelMeans *means, void *workspace)
{
    const Partial partial(x.rows, x.cols, out.cols);
    const int64_t channel = means == nullptr ? 0 : means->channel;
    Arena arena(workspace);
    const ChannelSums channels(
        x.rows, x.cols, channel, partial.segment,
        arena.take(ChannelSums::bytes(x.rows, x.cols, channel, partial.segment)));
    auto *sums = arena.take<float>(0);
    const int used = threads_for(threads, x.rows, x.cols, out.cols);
    // Too few segments for the threads: share out the rows as well.
    const int64_t shares = std::min(partial.row_blocks, ceil_div(used, partial.segments));
    const auto first_of = [&](int64_t share) { return partial.row_blocks * share / shares; };
    const int64_t at_once = partial.column_blocks * kLanes;
    for (int64_t first = 0; first < out.cols; first += at_once) {
        const int64_t count = std::min(at_once, out.cols - first);
        const ChannelSums *wanted = first == 0 && channel > 0 ? &channels : nullptr;
        parallel_for(used, partial.segments * shares, [&](int64_t task) {
            const int64_t share = task % shares;
            const Units units(x.rows);
            project_segment(simd, dtype, probes.shifted(0, first), x, first_of(share),
                            first_of(share + 1), task / shares, count, partial, wanted, sums);
        });
        parallel_for(threads_for(threads, x.rows, partial.segments, 4 * count), partial.row_blocks,
                     [&](int64_t block) {
                         const int64_t from = block * kLanes;
                         const int64_t to = std::min(from + kLanes, x.rows);
                         for (int64_t i = from; i < to; ++i) {
                             add_segments(partial, sums, i, count, row<float>(out, i) + first);
                         }
                         if (wanted != nullptr) {
                             wanted->write_means<float>(from, to - from, means->means);
                         }
                     });
    }
}

} // namespace xconv::cpu
