#include "cpu/probes.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>

#include "checked.hpp"
#include "cpu/parallel.hpp"
#include "cpu/probes_signs.hpp"
#include "cpu/signs.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

namespace {

/// project() sums x in segments of this length, each by one thread, and then the
/// segments in order, so that no sum depends on who computed it.
constexpr int64_t kSegment = 16 * kTileRows;
/// Partial sums stay below this, by taking fewer columns at a time.
constexpr int64_t kPartialBytes = int64_t{4} << 20;

/// Probes for which cutting dy in pieces for the matrix units pays.
constexpr int64_t kLeastForUnits = kColumnGroup + 1;

int64_t columns_at_once(Dtype dtype, int64_t rows, int64_t length, int64_t columns)
{
    const int64_t segments = ceil_div(length, kSegment);
    const int64_t one = checked_mul(segments, rows, "sketch") * element_bytes(compute_dtype(dtype));
    const int64_t groups = std::max<int64_t>(kPartialBytes / one / kColumnGroup, 1);
    return std::min(columns, groups * kColumnGroup);
}

/// The threads that a product of these extents is worth.
int threads_for(const ProbeOps &ops, int64_t rows, int64_t depth, int64_t columns)
{
    return threads_worth(static_cast<double>(rows) * static_cast<double>(depth) *
                             static_cast<double>(columns),
                         ops.threads);
}

template <class T> T *row(Matrix matrix, int64_t i)
{
    return static_cast<T *>(matrix.data) + i * matrix.stride;
}

template <class T> const T *row(ConstMatrix matrix, int64_t i)
{
    return static_cast<const T *>(matrix.data) + i * matrix.stride;
}

Probes shifted(Probes probes, int64_t rows, int64_t columns)
{
    probes.row += rows;
    probes.column += columns;
    return probes;
}

/// A tile of x against a tile of z, as Kernels::dot. 16-bit rows are widened, a few
/// at a time, into the first-level cache.
template <class T, class In>
void dot_tile(const SimdVariant &simd, const In *x, int64_t x_stride, int64_t rows, const T *z,
              int64_t columns, int64_t length, T *out, int64_t out_stride)
{
    const Kernels<T> &kernels = simd.kernels<T>();
    if constexpr (std::is_same_v<In, T>) {
        kernels.dot(x, x_stride, rows, z, kTileRows, columns, length, out, out_stride);
    }
    else {
        constexpr int64_t most = 12; // rows: of what dot() takes at a time, a multiple
        alignas(64) T wide[most * kTileRows];
        for (int64_t i = 0; i < rows; i += most) {
            const int64_t count = std::min(most, rows - i);
            for (int64_t r = 0; r < count; ++r) {
                simd.halves<In>().widen(x + (i + r) * x_stride, length, wide + r * kTileRows);
            }
            kernels.dot(wide, kTileRows, count, z, kTileRows, columns, length, out + i * out_stride,
                        out_stride);
        }
    }
}

/// One segment of x for a range of its rows, against columns [first, first + count):
/// sums [row][column], `count` to a row.
template <class T, class In>
void project_segment(const SimdVariant &simd, const Probes &probes, ConstMatrix x, int64_t from_row,
                     int64_t rows, int64_t begin, int64_t count, T *sums)
{
    alignas(64) T z[kColumnGroup * kTileRows];
    std::fill(sums, sums + rows * count, T(0));
    const int64_t end = std::min(begin + kSegment, x.cols);
    for (int64_t p = begin; p < end; p += kTileRows) {
        const int64_t length = std::min(kTileRows, end - p);
        for (int64_t j = 0; j < count; j += kColumnGroup) {
            const int64_t columns = std::min(kColumnGroup, count - j);
            simd.kernels<T>().draw(shifted(probes, p, j), length, columns, z, kTileRows);
            dot_tile<T>(simd, row<In>(x, from_row) + p, x.stride, rows, z, columns, length,
                        sums + j, count);
        }
    }
}

template <class T, class In>
void project_typed(const ProbeOps &ops, const Probes &probes, ConstMatrix x, Matrix out,
                   int64_t at_once, T *partial)
{
    const int64_t segments = ceil_div(x.cols, kSegment);
    // Too few segments for the threads: share out the rows as well.
    const int threads = threads_for(ops, x.rows, x.cols, out.cols);
    const int64_t shares = std::min(x.rows, ceil_div(threads, segments));
    const int64_t share = ceil_div(x.rows, shares);
    for (int64_t first = 0; first < out.cols; first += at_once) {
        const int64_t count = std::min(at_once, out.cols - first);
        parallel_for(threads, segments * shares, [&](int64_t task) {
            const int64_t segment = task / shares;
            const int64_t from_row = task % shares * share;
            const int64_t rows = std::min(share, x.rows - from_row);
            if (rows > 0) {
                project_segment<T, In>(*ops.simd, shifted(probes, 0, first), x, from_row, rows,
                                       segment * kSegment, count,
                                       partial + (segment * x.rows + from_row) * count);
            }
        });
        parallel_for(threads_for(ops, x.rows, segments, count), x.rows, [&](int64_t i) {
            for (int64_t j = 0; j < count; ++j) {
                T sum = 0;
                for (int64_t segment = 0; segment < segments; ++segment) {
                    sum += partial[(segment * x.rows + i) * count + j];
                }
                row<T>(out, i)[first + j] = sum;
            }
        });
    }
}

/// out(i, m) for all its columns, in passes of kMixRows rows, fed by
/// `source(k, depth, tile, scratch)`, which returns `depth` <= kColumnGroup rows of
/// input.
template <class T, class Source>
void mix_tiles(const ProbeOps &ops, const T *c, int64_t k_stride, int64_t i_stride, int64_t depth,
               Runs columns, Matrix out, Source &&source)
{
    const Kernels<T> &kernels = ops.simd->kernels<T>();
    // A pass over many rows takes shorter runs, for its sums to stay in the cache.
    const Tiling tiles{columns, out.rows <= kMixRows / 2 ? kMixRun : kMixRun / 2};
    const int threads = threads_for(ops, out.rows, depth, columns.total());
    parallel_for(threads, tiles.count(), [&](int64_t index) {
        alignas(64) T sums[kMixRows * kMixRun];
        alignas(64) T scratch[kColumnGroup * kMixRun];
        const Tile tile = tiles[index];
        for (int64_t i = 0; i < out.rows; i += kMixRows) {
            const int64_t rows = std::min(kMixRows, out.rows - i);
            std::fill(sums, sums + rows * kMixRun, T(0));
            for (int64_t k = 0; k < depth; k += kColumnGroup) {
                const int64_t terms = std::min(kColumnGroup, depth - k);
                const ConstMatrix in = source(k, terms, tile, scratch);
                kernels.mix(c + k * k_stride + i * i_stride, k_stride, i_stride, rows, terms,
                            static_cast<const T *>(in.data), in.stride, tile.length, sums);
            }
            for (int64_t r = 0; r < rows; ++r) {
                std::copy(sums + r * kMixRun, sums + r * kMixRun + tile.length,
                          row<T>(out, i + r) + tile.place);
            }
        }
    });
}

/// Set bits among bits [from, to) of `words`.
int64_t count_bits(const uint32_t *words, int64_t from, int64_t to)
{
    int64_t count = 0;
    while (from < to) {
        const int64_t taken = std::min<int64_t>(32 - from % 32, to - from);
        const uint64_t mask = (uint64_t{1} << taken) - 1;
        count += std::popcount(words[from / 32] >> (from % 32) & mask);
        from += taken;
    }
    return count;
}

/// The means of one column of Rademacher probes over runs that follow one another, from
/// the bits that they are drawn from: a set bit is -1.
template <class T, class Mean>
void sign_means(const SimdVariant &simd, const Probes &probes, Runs rows, Mean &&mean)
{
    constexpr int64_t per_block = 128;
    constexpr int64_t unit = kUnitBlocks * per_block;
    const int64_t last = probes.row + rows.total();
    const int64_t first_block = probes.row / per_block;
    int64_t run = 0;
    int64_t minus = 0; // in the run so far
    std::array<uint32_t, unit / 32> words;
    for (int64_t block = first_block; block * per_block < last; block += kUnitBlocks) {
        const int64_t begin = block * per_block;
        simd.draw_unit(probes.seed, static_cast<uint64_t>(probes.column),
                       static_cast<uint64_t>(block), words.data());
        for (int64_t at = std::max(begin, probes.row); at < std::min(begin + unit, last);) {
            const int64_t end = probes.row + (run + 1) * rows.length;
            const int64_t to = std::min(end, begin + unit);
            minus += count_bits(words.data(), at - begin, to - begin);
            at = to;
            if (to == end) {
                mean(run++) = static_cast<T>(static_cast<double>(rows.length - 2 * minus) /
                                             static_cast<double>(rows.length));
                minus = 0;
            }
        }
    }
}

} // namespace

int64_t project_workspace(Dtype dtype, int64_t rows, int64_t length, int64_t columns)
{
    const int64_t at_once = columns_at_once(dtype, rows, length, columns);
    const int64_t segments = ceil_div(length, kSegment);
    const int64_t plain = checked_mul(checked_mul(segments, rows, "sketch"), at_once, "sketch") *
                          element_bytes(compute_dtype(dtype));
    return compute_dtype(dtype) == Dtype::f32 && signs::available()
               ? std::max(plain, project_signs_workspace(rows, length, columns))
               : plain;
}

void ProbeOps::project(Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
                       void *workspace) const
{
    // However many: more probes only extend a sketch.
    if (has_signs(compute_dtype(dtype), probes)) {
        project_signs(simd->draw_bits, threads, dtype, probes, x, out, workspace);
        return;
    }
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        project_typed<T, In>(*this, probes, x, out,
                             columns_at_once(dtype, x.rows, x.cols, out.cols),
                             static_cast<T *>(workspace));
    });
}

void ProbeOps::draw(Dtype dtype, const Probes &probes, Runs rows, Matrix out) const
{
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Kernels<T> &kernels = simd->kernels<T>();
        const Tiling tiles{rows, kTileRows};
        const int64_t groups = ceil_div(out.rows, kColumnGroup);
        constexpr int64_t cost = 8; // of drawing and storing an entry
        const int used = threads_for(*this, out.rows, cost, rows.total());
        parallel_for(used, tiles.count() * groups, [&](int64_t task) {
            const Tile tile = tiles[task / groups];
            const int64_t j = task % groups * kColumnGroup;
            const int64_t columns = std::min(kColumnGroup, out.rows - j);
            const Probes window = shifted(probes, tile.position, j);
            T *target = row<T>(out, j) + tile.place;
            if (tile.length % kDrawUnit == 0) {
                kernels.draw(window, tile.length, columns, target, out.stride);
                return;
            }
            alignas(64) T z[kColumnGroup * kTileRows];
            kernels.draw(window, tile.length, columns, z, kTileRows);
            for (int64_t c = 0; c < columns; ++c) {
                std::copy(z + c * kTileRows, z + c * kTileRows + tile.length,
                          target + c * out.stride);
            }
        });
    });
}

void ProbeOps::expand(Dtype dtype, const Probes &probes, Runs rows, ConstMatrix coefficients,
                      Matrix out) const
{
    if (has_signs(dtype, probes)) {
        expand_signs(simd->draw_bits, threads, probes, rows, coefficients, out);
        return;
    }
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Kernels<T> &kernels = simd->kernels<T>();
        mix_tiles<T>(*this, row<T>(coefficients, 0), 1, coefficients.stride, coefficients.cols,
                     rows, out, [&](int64_t k, int64_t terms, const Tile &tile, T *scratch) {
                         kernels.draw(shifted(probes, tile.position, k), tile.length, terms,
                                      scratch, kMixRun);
                         return ConstMatrix{scratch, terms, tile.length, kMixRun};
                     });
    });
}

void ProbeOps::probe_means(Dtype dtype, const Probes &probes, Runs rows, Matrix means) const
{
    constexpr double cost = 1.0 / 16; // of an entry
    const int used = threads_worth(
        cost * static_cast<double>(rows.total()) * static_cast<double>(means.cols), threads);
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        if (probes.distribution == Distribution::rademacher && rows.length == rows.stride) {
            parallel_for(used, means.cols, [&](int64_t j) {
                sign_means<T>(*simd, shifted(probes, 0, j), rows,
                              [&](int64_t run) -> T & { return row<T>(means, run)[j]; });
            });
            return;
        }
        const Kernels<T> &kernels = simd->kernels<T>();
        const int64_t groups = ceil_div(means.cols, kColumnGroup);
        parallel_for(used, rows.count * groups, [&](int64_t task) {
            const int64_t run = task / groups;
            const int64_t j = task % groups * kColumnGroup;
            const int64_t columns = std::min(kColumnGroup, means.cols - j);
            alignas(64) T z[kColumnGroup * kTileRows];
            std::array<double, kColumnGroup> sums{};
            for (int64_t p = 0; p < rows.length; p += kTileRows) {
                const int64_t length = std::min(kTileRows, rows.length - p);
                kernels.draw(shifted(probes, run * rows.stride + p, j), length, columns, z,
                             kTileRows);
                for (int64_t c = 0; c < columns; ++c) {
                    sums[static_cast<size_t>(c)] +=
                        simd->sums->kernels<T>().sum(z + c * kTileRows, length);
                }
            }
            for (int64_t c = 0; c < columns; ++c) {
                row<T>(means, run)[j + c] =
                    static_cast<T>(sums[static_cast<size_t>(c)] / static_cast<double>(rows.length));
            }
        });
    });
}

void ProbeOps::combine(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                       Matrix out) const
{
    if (matrix_units && compute_dtype(dtype) == Dtype::f32 && out.rows >= kLeastForUnits) {
        combine_split(threads, dtype, coefficients, in, columns, out);
        return;
    }
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const auto source = [&](int64_t k, int64_t terms, const Tile &tile, T *scratch) {
            const In *from = row<In>(in, k) + tile.position;
            if constexpr (std::is_same_v<In, T>) {
                return ConstMatrix{from, terms, tile.length, in.stride};
            }
            else {
                for (int64_t i = 0; i < terms; ++i) {
                    simd->halves<In>().widen(from + i * in.stride, tile.length,
                                             scratch + i * kMixRun);
                }
                return ConstMatrix{scratch, terms, tile.length, kMixRun};
            }
        };
        mix_tiles<T>(*this, row<T>(coefficients, 0), coefficients.stride, 1, in.rows, columns, out,
                     source);
    });
}

} // namespace xconv::cpu
