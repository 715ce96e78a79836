#include <algorithm>
#include <type_traits>

#include "checked.hpp"
#include "cpu/channel_sums.hpp"
#include "cpu/parallel.hpp"
#include "cpu/probes.hpp"
#include "cpu/probes_signs.hpp"
#include "cpu/signs.hpp"
#include "workspace.hpp"

namespace xconv::cpu {

namespace {

/// project() sums x in segments of this length, each by one thread, and then the
/// segments in order, so that no sum depends on who computed it.
constexpr int64_t kSegment = 16 * kTileRows;
/// Partial sums stay below this, by taking fewer columns at a time.
constexpr int64_t kPartialBytes = int64_t{4} << 20;

int64_t columns_at_once(Dtype dtype, int64_t rows, int64_t length, int64_t columns)
{
    const int64_t segments = ceil_div(length, kSegment);
    const int64_t one = checked_mul(segments, rows, "sketch") * element_bytes(compute_dtype(dtype));
    const int64_t groups = std::max<int64_t>(kPartialBytes / one / kColumnGroup, 1);
    return std::min(columns, groups * kColumnGroup);
}

/// Of a tile of z, drawn once for several blocks of rows of x, and rows of such a block:
/// both stay in the second-level cache, of which rows of x often share few sets.
constexpr int64_t kDrawnBytes = int64_t{1} << 16;
constexpr int64_t kBlockRows = 96;

/// A tile of x against a tile of z, as Kernels::dot. 16-bit rows are widened, a few
/// at a time, into the first-level cache.
template <class T, class In>
void dot_tile(const SimdVariant &simd, const In *x, int64_t x_stride, int64_t rows, const In *next,
              const T *z, int64_t columns, int64_t length, T *out, int64_t out_stride,
              const RowSums<T> &sums)
{
    const Kernels<T> &kernels = simd.kernels<T>();
    if constexpr (std::is_same_v<In, T>) {
        kernels.dot(x, x_stride, rows, next, z, kTileRows, columns, length, out, out_stride, sums);
    }
    else {
        constexpr int64_t most = 12; // rows: of what dot() takes at a time, a multiple
        alignas(64) T wide[most * kTileRows];
        for (int64_t i = 0; i < rows; i += most) {
            const int64_t count = std::min(most, rows - i);
            for (int64_t r = 0; r < count; ++r) {
                simd.halves<In>().widen(x + (i + r) * x_stride, length, wide + r * kTileRows);
            }
            kernels.dot(wide, kTileRows, count, wide, z, kTileRows, columns, length,
                        out + i * out_stride, out_stride, sums.from(i));
        }
    }
}

/// Adds a tile of x to the sums of its channels.
template <class T, class In>
void add_tile(const SimdVariant &simd, ConstMatrix x, int64_t first, int64_t rows, int64_t place,
              int64_t length, const ChannelSums &channels)
{
    const SumKernels<T> &kernels = simd.sums->kernels<T>();
    if constexpr (std::is_same_v<In, T>) {
        channels.add(kernels, row<In>(x, first) + place, x.stride, first, rows, place, length);
    }
    else {
        alignas(64) T wide[kTileRows];
        for (int64_t i = first; i < first + rows; ++i) {
            simd.halves<In>().widen(row<In>(x, i) + place, length, wide);
            channels.add(kernels, wide, length, i, 1, place, length);
        }
    }
}

/// dot_tile() of at most kBlockRows rows, and their sums, unless null, as add_tile(): of
/// channels that are whole vectors.
template <class T, class In>
void project_block(const SimdVariant &simd, ConstMatrix x, int64_t first, int64_t rows,
                   int64_t place, const In *next, const T *z, int64_t columns, int64_t length,
                   T *out, int64_t out_stride, const ChannelSums *channels)
{
    constexpr int64_t most_channels = kTileRows / kSumUnit + 1;
    T data[kBlockRows * most_channels];
    RowSums<T> sums;
    if (channels != nullptr) {
        sums = {data, channels->channels_in(place, length), channels->end_of(place) - place,
                channels->length()};
    }
    dot_tile<T>(simd, row<In>(x, first) + place, x.stride, rows, next, z, columns, length, out,
                out_stride, sums);
    if (channels != nullptr) {
        channels->add_channels(place, data, sums.stride, first, rows, sums.stride);
    }
}

/// Columns of a tile of z, kTileRows apart.
template <class T>
void draw_tile(const SimdVariant &simd, const Probes &probes, int64_t length, int64_t columns, T *z)
{
    for (int64_t j = 0; j < columns; j += kColumnGroup) {
        simd.kernels<T>().draw(probes.shifted(0, j), length, std::min(kColumnGroup, columns - j),
                               z + j * kTileRows, kTileRows);
    }
}

/// One segment of x for a range of its rows, against columns [first, first + count):
/// sums [row][column], `count` to a row; and the sums of its channels, unless null.
template <class T, class In>
void project_segment(const SimdVariant &simd, const Probes &probes, ConstMatrix x, int64_t from_row,
                     int64_t rows, int64_t segment, int64_t count, const ChannelSums *channels,
                     T *sums)
{
    constexpr int64_t most = kDrawnBytes / (kTileRows * static_cast<int64_t>(sizeof(T)));
    alignas(64) T z[size_t{most * kTileRows}];
    const int64_t drawn = rows > kBlockRows ? most : kColumnGroup; // columns
    std::fill(sums, sums + rows * count, T(0));
    if (channels != nullptr) {
        channels->clear(from_row, from_row + rows, segment);
    }
    const bool sum_apart = channels != nullptr && channels->length() % kSumUnit != 0;
    const int64_t begin = segment * kSegment;
    const int64_t end = std::min(begin + kSegment, x.cols);
    for (int64_t p = begin; p < end; p += kTileRows) {
        const int64_t length = std::min(kTileRows, end - p);
        if (sum_apart) {
            add_tile<T, In>(simd, x, from_row, rows, p, length, *channels);
        }
        for (int64_t j = 0; j < count; j += drawn) {
            const int64_t columns = std::min(drawn, count - j);
            draw_tile(simd, probes.shifted(p, j), length, columns, z);
            for (int64_t i = 0; i < rows; i += kBlockRows) {
                const int64_t first = from_row + i;
                const int64_t some = std::min(kBlockRows, rows - i);
                const In *next = i + some < rows ? row<In>(x, first + some) + p
                                                 : row<In>(x, from_row) + p + kTileRows;
                project_block<T, In>(simd, x, first, some, p, next, z, columns, length,
                                     sums + i * count + j, count,
                                     j == 0 && !sum_apart ? channels : nullptr);
            }
        }
    }
}

template <class T, class In>
void project_typed(const ProbeOps &ops, const Probes &probes, ConstMatrix x, Matrix out,
                   int64_t at_once, const ChannelMeans *means, void *workspace)
{
    const int64_t segments = ceil_div(x.cols, kSegment);
    // Too few segments for the threads: share out the rows as well.
    const int threads = ops.threads_for(x.rows, x.cols, out.cols);
    const int64_t shares = std::min(x.rows, ceil_div(threads, segments));
    const int64_t share = ceil_div(x.rows, shares);
    const int64_t channel = means == nullptr ? 0 : means->channel;
    Arena arena(workspace);
    const ChannelSums channels(x.rows, x.cols, channel, kSegment,
                               arena.take(ChannelSums::bytes(x.rows, x.cols, channel, kSegment)));
    T *partial = arena.take<T>(0);
    for (int64_t first = 0; first < out.cols; first += at_once) {
        const int64_t count = std::min(at_once, out.cols - first);
        const ChannelSums *wanted = first == 0 && channel > 0 ? &channels : nullptr;
        parallel_for(threads, segments * shares, [&](int64_t task) {
            const int64_t segment = task / shares;
            const int64_t from_row = task % shares * share;
            const int64_t rows = std::min(share, x.rows - from_row);
            if (rows > 0) {
                project_segment<T, In>(*ops.simd, probes.shifted(0, first), x, from_row, rows,
                                       segment, count, wanted,
                                       partial + (segment * x.rows + from_row) * count);
            }
        });
        const int64_t blocks = ceil_div(x.rows, ChannelSums::kRows);
        parallel_for(ops.threads_for(x.rows, segments, count), blocks, [&](int64_t block) {
            const int64_t from = block * ChannelSums::kRows;
            const int64_t to = std::min(from + ChannelSums::kRows, x.rows);
            for (int64_t i = from; i < to; ++i) {
                for (int64_t j = 0; j < count; ++j) {
                    T sum = 0;
                    for (int64_t segment = 0; segment < segments; ++segment) {
                        sum += partial[(segment * x.rows + i) * count + j];
                    }
                    row<T>(out, i)[first + j] = sum;
                }
            }
            if (wanted != nullptr) {
                wanted->template write_means<T>(from, to - from, means->means);
            }
        });
    }
}

} // namespace

int64_t project_workspace(Dtype dtype, int64_t rows, int64_t length, int64_t columns,
                          int64_t channel)
{
    const int64_t at_once = columns_at_once(dtype, rows, length, columns);
    const int64_t segments = ceil_div(length, kSegment);
    Arena arena(nullptr);
    arena.take(ChannelSums::bytes(rows, length, channel, kSegment));
    arena.take(checked_mul(checked_mul(segments, rows, "sketch"), at_once, "sketch") *
               element_bytes(compute_dtype(dtype)));
    if constexpr (signs::kCompiled) {
        if (compute_dtype(dtype) == Dtype::f32 && signs::available()) {
            return std::max(arena.used(), project_signs_workspace(rows, length, columns, channel));
        }
    }
    return arena.used();
}

void ProbeOps::project(Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
                       const ChannelMeans *means, void *workspace) const
{
    if constexpr (signs::kCompiled) {
        // However many: more probes only extend a sketch.
        if (has_signs(compute_dtype(dtype), probes)) {
            project_signs(*simd, threads, dtype, probes, x, out, means, workspace);
            return;
        }
    }
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        project_typed<T, In>(*this, probes, x, out,
                             columns_at_once(dtype, x.rows, x.cols, out.cols), means, workspace);
    });
}

} // namespace xconv::cpu
