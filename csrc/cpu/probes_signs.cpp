#include "cpu/probes_signs.hpp"

#include <algorithm>

#include "cpu/parallel.hpp"
#include "cpu/signs.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

using namespace signs;

namespace {

const float *row(ConstMatrix matrix, int64_t i)
{
    return static_cast<const float *>(matrix.data) + i * matrix.stride;
}

float *row(Matrix matrix, int64_t i)
{
    return static_cast<float *>(matrix.data) + i * matrix.stride;
}

/// Rows of Float32, `stride` apart.
struct FloatRows {
    const float *data;
    int64_t stride;
};

/// Places [place, place + length) of some rows of a tensor: as they lie, or widened
/// into `wide`, `run` apart.
FloatRows float_rows(Dtype dtype, ConstMatrix tensor, int64_t first, int64_t rows, int64_t place,
                     int64_t length, float *wide, int64_t run)
{
    if (dtype == Dtype::f32) {
        return {row(tensor, first) + place, tensor.stride};
    }
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        if constexpr (is_half<In>) {
            const In *from = static_cast<const In *>(tensor.data) + first * tensor.stride + place;
            for (int64_t i = 0; i < rows; ++i) {
                best_simd_variant().halves<In>().widen(from + i * tensor.stride, length,
                                                       wide + i * run);
            }
        }
    });
    return {wide, run};
}

Probes shifted(Probes probes, int64_t rows, int64_t columns)
{
    probes.row += rows;
    probes.column += columns;
    return probes;
}

/// words[...][lane] of `count` places of kLanes columns.
void draw_columns(DrawBits draw_bits, const Probes &probes, int64_t count, uint32_t *words)
{
    int64_t rows[kLanes];
    int64_t columns[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) {
        rows[lane] = probes.row;
        columns[lane] = probes.column + lane;
    }
    draw_bits(probes.seed, rows, columns, count, words);
}

/// Columns of out that one product makes, at most.
constexpr int64_t kWidest = 512;

/// A product of tiles without gaps; its sums are still to be placed.
Product packed_product(const uint16_t *tiles, const uint32_t *const *paired, int64_t steps,
                       int64_t count, bool accumulate)
{
    Product product{};
    product.split = tiles;
    product.split_step = kSplitTile;
    product.paired = paired;
    product.paired_row = kLanes;
    product.paired_step = kPairedTile;
    product.steps = steps;
    product.run = steps;
    product.count = count;
    product.sums_tile = kLanes;
    product.accumulate = accumulate;
    return product;
}

/// Place the sums of a product in `rows` rows of a matrix, `columns` of them, and let
/// `multiply` make them; through a buffer where tiles stick out.
template <class Multiply>
void multiply_into(Product product, float *out, int64_t stride, int64_t rows, int64_t columns,
                   bool whole, Multiply &&multiply)
{
    product.sums = out;
    product.sums_row = stride;
    if (whole && columns % kLanes == 0) {
        multiply(product);
        return;
    }
    alignas(64) float sums[kLanes * kWidest];
    for (int64_t i = 0; product.accumulate && i < rows; ++i) {
        std::copy_n(out + i * stride, columns, sums + i * kWidest);
    }
    product.sums = sums;
    product.sums_row = kWidest;
    multiply(product);
    for (int64_t i = 0; i < rows; ++i) {
        std::copy_n(sums + i * kWidest, columns, out + i * stride);
    }
}

/// Products cost this share of what they cost elsewhere.
constexpr double kSpeed = 0.25;

/// The threads that a product of these extents, in whole tiles, is worth.
int threads_for(int threads, int64_t rows, int64_t depth, int64_t columns)
{
    const auto whole = [](int64_t extent) { return static_cast<double>(round_up(extent, kLanes)); };
    return threads_worth(kSpeed * whole(rows) * whole(depth) * whole(columns), threads);
}

// ----------------------------------------------------------------- projecting

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
    int64_t column_blocks; // at a time

    Partial(int64_t rows, int64_t length, int64_t columns)
        : segment(std::max(kLeastSegment, round_up(ceil_div(length, kSegments), kRun))),
          segments(ceil_div(length, segment)), row_blocks(ceil_div(rows, kLanes)), column_blocks(1)
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
            draw_columns(draw_bits, shifted(probes, 0, j), length, words);
            pair_words(words, ceil_div(length, kDepth), pairs[j / kLanes]);
        }
    }
};

/// One segment of x for some blocks of its rows and some columns.
void project_segment(DrawBits draw_bits, Dtype dtype, const Probes &probes, ConstMatrix x,
                     int64_t from_block, int64_t to_block, int64_t begin, int64_t end,
                     int64_t columns, const Partial &partial, float *sums)
{
    SignRun run;
    alignas(64) uint16_t tiles[kRun / kDepth * kSplitTile];
    alignas(64) float wide[kLanes * kRun];
    const uint32_t *paired[kColumnBlocks];
    for (int64_t i = 0; i < kColumnBlocks; ++i) {
        paired[i] = run.pairs[i];
    }
    for (int64_t p = begin; p < end; p += kRun) {
        const int64_t length = std::min(kRun, end - p);
        for (int64_t j = 0; j < columns; j += kColumnBlocks * kLanes) {
            const int64_t count = std::min(kColumnBlocks * kLanes, columns - j);
            run.draw(draw_bits, shifted(probes, p, j), length, count);
            for (int64_t block = from_block; block < to_block; ++block) {
                const int64_t first = block * kLanes;
                const int64_t rows = std::min(kLanes, x.rows - first);
                const FloatRows from = float_rows(dtype, x, first, rows, p, length, wide, kRun);
                split(from.data, from.stride, rows, length, tiles);
                Product product = packed_product(tiles, paired, ceil_div(length, kDepth),
                                                 ceil_div(count, kLanes), p > begin);
                product.sums = sums + partial.at(0, block, j / kLanes);
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

int64_t project_signs_workspace(int64_t rows, int64_t length, int64_t columns)
{
    const Partial partial(rows, length, columns);
    return checked_mul(partial.block_bytes(), partial.column_blocks, "sketch");
}

void project_signs(DrawBits draw_bits, int threads, Dtype dtype, const Probes &probes,
                   ConstMatrix x, Matrix out, void *workspace)
{
    const Partial partial(x.rows, x.cols, out.cols);
    auto *sums = static_cast<float *>(workspace);
    const int used = threads_for(threads, x.rows, x.cols, out.cols);
    // Too few segments for the threads: share out the rows as well.
    const int64_t shares = std::min(partial.row_blocks, ceil_div(used, partial.segments));
    const int64_t share = ceil_div(partial.row_blocks, shares);
    const int64_t at_once = partial.column_blocks * kLanes;
    for (int64_t first = 0; first < out.cols; first += at_once) {
        const int64_t count = std::min(at_once, out.cols - first);
        parallel_for(used, partial.segments * shares, [&](int64_t task) {
            const int64_t segment = task / shares;
            const int64_t from = task % shares * share;
            const int64_t begin = segment * partial.segment;
            const Units units(x.rows);
            project_segment(draw_bits, dtype, shifted(probes, 0, first), x, from,
                            std::min(from + share, partial.row_blocks), begin,
                            std::min(begin + partial.segment, x.cols), count, partial,
                            sums + partial.at(segment, 0, 0));
        });
        parallel_for(
            threads_for(threads, x.rows, partial.segments, 4 * count), x.rows,
            [&](int64_t i) { add_segments(partial, sums, i, count, row(out, i) + first); });
    }
}

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
            draw_columns(draw_bits, shifted(probes, tile.position, j + i), tile.length,
                         words + i / kLanes * stride);
        }
        pair_probes(words, stride, steps, tile.length, pairs);
        const uint32_t *paired[kExpandBlocks];
        for (int64_t i = 0; i < kExpandBlocks; ++i) {
            paired[i] = pairs + i * steps * kPairedTile;
        }
        for (int64_t i = 0; i < out.rows; i += kLanes) {
            const int64_t rows = std::min(kLanes, out.rows - i);
            split(row(coefficients, i) + j, coefficients.stride, rows, columns, tiles);
            multiply_into(
                packed_product(tiles, paired, steps, ceil_div(tile.length, kLanes), j > 0),
                row(out, i) + tile.place, out.stride, rows, tile.length,
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
                const float *from = row(coefficients, first_in + k) + first_out + i;
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
        multiply_into(product, row(out_, first_out_ + i) + tile.place, out_.stride, rows,
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
