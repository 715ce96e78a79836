// project: x z with z drawn on the way.
//
// Each warp holds sums of a few rows against 16 columns in registers: a thread sums
// 4 neighbouring places out of 64 against 8 of the columns. x goes straight from
// memory to registers, once for every 16 columns; z is drawn 64 x 16 entries at a
// time, in shared memory, for all warps of the block. For each element of x, read
// in 4 bytes, there are 16 multiply-adds: with Float32 a quarter of an H100's rate
// when memory is the limit.
//
// Sums are formed in segments of the length of x, first by lane and then over lanes
// and segments in a fixed order, whatever the number of rows. A warp has 2 KiB of x in
// flight at a time, and an H100 needs a thousand times that to reach its bandwidth: where
// rows are few, it is segments that give warps something to do.
#include <algorithm>

#include "cuda/kernels/probe_tile.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_probes.hpp"

namespace xconv::cuda {

namespace {

constexpr int kLanes = 16;
constexpr int kDepth = 4 * kLanes; // rows of z at a time
constexpr int kColumns = 16;
constexpr int kPanel = 512; // rows of z whose signs are drawn together
constexpr int kWarps = 8;

/// What a launch is given; see Project.
template <class X> struct ProjectArguments {
    Probes probes; // row is a multiple of kSignsPerBlock
    const X *x;
    int64_t rows;
    int64_t length;
    int64_t stride;
    int64_t lead; // places of z before the first of x
    int64_t segment;
    int64_t segments;
    int64_t columns;
    ComputeType<X> *partial; // [segments][rows][columns], rows `partial_stride` apart
    int64_t partial_stride;
    int slices; // segments in the hands of one block: 1, 2 or 4
    bool vectors;
};

template <class X, bool Signs> struct Project : ProjectArguments<X> {
    using T = ComputeType<X>;
    static constexpr int threads = 32 * kWarps;
    static constexpr int blocks_per_multiprocessor = 2;
    static constexpr int kRows = sizeof(T) == 4 ? 8 : 4; // of a thread
    static constexpr int kMostSlices = 16 / sizeof(T);
    static constexpr int kThreadColumns = kColumns / 2;
    static constexpr int kRowsAtOnce = kRows / 2; // of a thread, when lanes are added up

    /// z[quarter][i][lane]: entries of row 4 lane + i, columns 4 quarter + (0..3).
    struct Tile {
        Vector<T, 4> z[kColumns / 4][4][kLanes];
    };
    struct Shared {
        ProbeTile<T, Signs, kPanel, kColumns> drawn[kMostSlices];
        union {
            Tile tile[2][kMostSlices];
            T lane_sum[kRowsAtOnce][kWarps][kLanes][kColumns + 1];
        };
    };
    struct Sums {
        T at[kRows][kThreadColumns];
    };

    /// Where a thread stands.
    struct Place {
        int lane;
        int half;    // of the columns
        int slice;   // of the block's segments
        int member;  // among the threads of the slice
        int members; // their number
        int64_t row; // first of kRows
    };
    /// Where a block stands.
    struct Block {
        int64_t column;
        int64_t segment;
        int64_t row;
    };

    XCONV_DEVICE Block where(int64_t index) const
    {
        const int64_t column_tiles = (this->columns + kColumns - 1) / kColumns;
        const int64_t groups = (this->segments + this->slices - 1) / this->slices;
        const int64_t rest = index / column_tiles;
        return {index % column_tiles * kColumns, rest % groups * this->slices,
                rest / groups * (kWarps / this->slices) * kRows};
    }

    XCONV_DEVICE Place stand(const Block &block, int thread) const
    {
        const int warps = kWarps / this->slices;
        const int warp = thread / 32;
        return {thread % kLanes, thread / kLanes % 2,
                warp / warps,    warp % warps * 32 + thread % 32,
                warps * 32,      block.row + warp % warps * kRows};
    }

    /// First row of z, counted from probes.row, of step `step` of a slice.
    XCONV_DEVICE int64_t step_row(const Block &block, int slice, int step) const
    {
        return (block.segment + slice) * this->segment + int64_t{step} * kDepth;
    }

    XCONV_DEVICE void draw_signs(const Block &block, int thread, int step, Shared &shared) const
    {
        const Place at = stand(block, thread);
        shared.drawn[at.slice].prepare(at.member, at.members, this->probes,
                                       this->probes.row + step_row(block, at.slice, step),
                                       this->probes.column + block.column);
    }

    XCONV_DEVICE void fill_tile(const Block &block, int thread, int step, Shared &shared) const
    {
        const Place at = stand(block, thread);
        const int64_t row = step_row(block, at.slice, step);
        const int in_panel = step * kDepth % kPanel;
        Tile &tile = shared.tile[step % 2][at.slice];
        for (int unit = at.member; unit < kColumns * kLanes; unit += at.members) {
            const int lane = unit / 4 % kLanes;
            const int column = unit / (4 * kLanes) * 4 + unit % 4;
            const Vector<T, 4> z = shared.drawn[at.slice].four(
                this->probes, this->probes.row + row - in_panel, this->probes.column + block.column,
                in_panel + 4 * lane, column);
            XCONV_UNROLL
            for (int i = 0; i < 4; ++i) {
                tile.z[column / 4][i][lane].at[column % 4] = z.at[i];
            }
        }
    }

    XCONV_DEVICE void fill_next(const Block &block, int thread, int step, int steps,
                                Shared &shared) const
    {
        if (step + 1 < steps) {
            fill_tile(block, thread, step + 1, shared);
        }
    }

    struct Input {
        Vector<T, 4> at[kRows];
    };
    XCONV_DEVICE Input read(const Block &block, int thread, int step) const
    {
        const Place at = stand(block, thread);
        const int64_t place = step_row(block, at.slice, step) + 4 * at.lane - this->lead;
        Input input;
        XCONV_UNROLL
        for (int m = 0; m < kRows; ++m) {
            // Rows past the end repeat the last; their sums go nowhere.
            const int64_t row = at.row + m < this->rows ? at.row + m : this->rows - 1;
            input.at[m] = load<4>(this->x + row * this->stride, place, this->length, this->vectors);
        }
        return input;
    }

    XCONV_DEVICE void add(const Place &at, const Input &input, const Tile &tile, Sums &sums) const
    {
        XCONV_UNROLL
        for (int i = 0; i < 4; ++i) {
            const Vector<T, 4> first = tile.z[2 * at.half][i][at.lane];
            const Vector<T, 4> second = tile.z[2 * at.half + 1][i][at.lane];
            XCONV_UNROLL
            for (int m = 0; m < kRows; ++m) {
                const T value = input.at[m].at[i];
                XCONV_UNROLL
                for (int c = 0; c < 4; ++c) {
                    sums.at[m][c] += value * first.at[c];
                    sums.at[m][4 + c] += value * second.at[c];
                }
            }
        }
    }

    /// Adds up the lanes of rows m .. m + kRowsAtOnce - 1 that threads hold.
    template <class Team, class Held>
    XCONV_DEVICE void write_rows(Team &team, const Block &block, int m, Held &held,
                                 Shared &shared) const
    {
        team.each([&](int thread) {
            const Place at = stand(block, thread);
            XCONV_UNROLL
            for (int i = 0; i < kRowsAtOnce; ++i) {
                T *to = shared.lane_sum[i][thread / 32][at.lane] + at.half * kThreadColumns;
                XCONV_UNROLL
                for (int c = 0; c < kThreadColumns; ++c) {
                    to[c] = held[thread].at[m + i][c];
                }
            }
        });
        team.each([&](int thread) {
            for (int unit = thread; unit < kRowsAtOnce * kWarps * kColumns; unit += threads) {
                const int column = unit % kColumns;
                const int warp = unit / kColumns % kWarps;
                const int i = unit / (kColumns * kWarps);
                const Place at = stand(block, 32 * warp);
                const int64_t row = at.row + m + i;
                const int64_t own = block.segment + at.slice;
                if (row >= this->rows || block.column + column >= this->columns ||
                    own >= this->segments) {
                    continue;
                }
                T sum = 0;
                for (int lane = 0; lane < kLanes; ++lane) {
                    sum += shared.lane_sum[i][warp][lane][column];
                }
                this->partial[(own * this->rows + row) * this->partial_stride + block.column +
                              column] = sum;
            }
        });
    }

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const Block block = where(team.block().x);
        const int64_t rest = this->lead + this->length - block.segment * this->segment;
        const auto steps =
            static_cast<int>(((rest < this->segment ? rest : this->segment) + kDepth - 1) / kDepth);
        auto held = team.template registers<Sums>();
        team.each([&](int thread) { draw_signs(block, thread, 0, shared); });
        team.each([&](int thread) {
            held[thread] = Sums{};
            fill_tile(block, thread, 0, shared);
        });
        for (int step = 0; step < steps; ++step) {
            const int next = step + 1;
            if (Signs && next < steps && next * kDepth % kPanel == 0) {
                team.each([&](int thread) { draw_signs(block, thread, next, shared); });
            }
            team.each([&](int thread) {
                if (stand(block, thread).row >= this->rows) {
                    fill_next(block, thread, step, steps, shared);
                    return;
                }
                const Input input = read(block, thread, step);
                fill_next(block, thread, step, steps, shared);
                const Place at = stand(block, thread);
                add(at, input, shared.tile[step % 2][at.slice], held[thread]);
            });
        }
        XCONV_UNROLL
        for (int m = 0; m < kRows; m += kRowsAtOnce) {
            write_rows(team, block, m, held, shared);
        }
    }
};

/// out(i, j) = sum over the segments of sums[segment][i][j].
template <class T> struct AddSegments {
    static constexpr int kParts = 32; // of the segments
    static constexpr int kOutputs = 8;
    static constexpr int threads = kParts * kOutputs;
    struct Shared {
        T part[kParts][kOutputs];
    };
    const T *sums;
    int64_t segments;
    int64_t rows;
    int64_t columns;
    T *out;
    int64_t out_stride;

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const int64_t count = rows * columns;
        const int64_t first = team.block().x * kOutputs;
        team.each([&](int thread) {
            const int64_t i = first + thread % kOutputs;
            const int part = thread / kOutputs;
            T sum = 0;
            if (i < count) {
                for (int64_t segment = part; segment < segments; segment += kParts) {
                    sum += sums[segment * count + i];
                }
            }
            shared.part[part][thread % kOutputs] = sum;
        });
        team.each([&](int thread) {
            const int64_t i = first + thread;
            if (thread >= kOutputs || i >= count) {
                return;
            }
            T sum = shared.part[0][thread];
            for (int part = 1; part < kParts; ++part) {
                sum += shared.part[part][thread];
            }
            out[i / columns * out_stride + i % columns] = sum;
        });
    }
};

/// Long rows make longer segments, whose sums cost less. Only the length counts: the
/// bits of a sum must not depend on what else is summed.
int64_t segment_length(int64_t length)
{
    return std::clamp<int64_t>(round_up(ceil_div(length, 512), kPanel), kPanel, 16 * kPanel);
}

/// Sums of segments stay below this, by taking fewer columns at a time. It lets 64
/// columns read x once at a batch of 256.
constexpr int64_t kSumBytes = int64_t{28} << 20;

/// The most segments that rows of this length are cut into: a window may start in the
/// middle of a Philox block.
int64_t most_segments(int64_t length)
{
    return ceil_div(length + kSignsPerBlock - 1, segment_length(length));
}

int64_t columns_at_once(Dtype dtype, int64_t rows, int64_t length, int64_t columns)
{
    const int64_t one =
        checked_mul(rows, most_segments(length), "sketch") * element_bytes(compute_dtype(dtype));
    return std::min(columns, std::max<int64_t>(kSumBytes / one / kColumns, 1) * kColumns);
}

template <class X, bool Signs> void launch_project(Stream stream, ProjectArguments<X> arguments)
{
    using Kernel = Project<X, Signs>;
    // With few rows the warps take different segments.
    while (arguments.slices < Kernel::kMostSlices &&
           arguments.rows <= kWarps / 2 / arguments.slices * Kernel::kRows) {
        arguments.slices *= 2;
    }
    const int64_t row_tile = kWarps / arguments.slices * Kernel::kRows;
    launch(Kernel{arguments},
           {ceil_div(arguments.rows, row_tile) * ceil_div(arguments.segments, arguments.slices) *
            ceil_div(arguments.columns, kColumns)},
           stream);
}

template <class X>
void project_typed(Stream stream, Dtype dtype, Probes probes, ConstMatrix x, Matrix out,
                   ComputeType<X> *workspace)
{
    using T = ComputeType<X>;
    const int64_t lead = probes.row % kSignsPerBlock;
    probes.row -= lead;
    const int64_t segment = segment_length(x.cols);
    const int64_t segments = ceil_div(lead + x.cols, segment);
    const int64_t at_once =
        segments == 1 ? out.cols : columns_at_once(dtype, x.rows, x.cols, out.cols);
    const auto *data = static_cast<const X *>(x.data);
    auto *result = static_cast<T *>(out.data);
    for (int64_t first = 0; first < out.cols; first += at_once) {
        const int64_t columns = std::min(at_once, out.cols - first);
        ProjectArguments<X> arguments{probes,
                                      data,
                                      x.rows,
                                      x.cols,
                                      x.stride,
                                      lead,
                                      segment,
                                      segments,
                                      columns,
                                      segments == 1 ? result : workspace,
                                      segments == 1 ? out.stride : columns,
                                      1,
                                      in_vectors<X>(data, -lead, x.stride, 4)};
        arguments.probes.column += first;
        with_signs(probes.distribution, [&](auto signs) {
            launch_project<X, decltype(signs)::value>(stream, arguments);
        });
        if (segments > 1) {
            using Add = AddSegments<T>;
            launch(Add{workspace, segments, x.rows, columns, result + first, out.stride},
                   {ceil_div(x.rows * columns, Add::kOutputs)}, stream);
        }
    }
}

} // namespace

int64_t project_workspace(Dtype dtype, int64_t rows, int64_t length, int64_t columns)
{
    const int64_t at_once = columns_at_once(dtype, rows, length, columns);
    return checked_mul(checked_mul(most_segments(length), rows, "sketch"), at_once, "sketch") *
           element_bytes(compute_dtype(dtype));
}

void project(Stream stream, Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
             void *workspace)
{
    with_tensor_type(dtype, [&](auto tag) {
        using X = typename decltype(tag)::type;
        project_typed<X>(stream, dtype, probes, x, out, static_cast<ComputeType<X> *>(workspace));
    });
}

} // namespace xconv::cuda
