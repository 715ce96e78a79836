// Sums of many numbers, for means. Compiled once for each instruction set like
// simd_kernels.cpp.
#include <cstdint>
#include <type_traits>

#include "cpu/simd.hpp"
#include "cpu/simd_vector.hpp"

namespace xconv::cpu::XCONV_SIMD {

namespace {

constexpr int kChains = 4; // additions that need not wait for each other
/// Numbers added in T, before the sum goes on in double.
constexpr int64_t kStretch = 4096;

/// The sum of at most kStretch numbers.
template <class T> inline double sum_stretch(const T *values, int64_t count)
{
    Vec<T> sums[kChains] = {};
    int64_t i = 0;
    for (; i + kChains * kLanes<T> <= count; i += kChains * kLanes<T>) {
        for (int c = 0; c < kChains; ++c) {
            sums[c] += load(values + i + c * kLanes<T>);
        }
    }
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
        sums[0] += load(values + i);
    }
    if (i < count) {
        sums[1] += load_partial(values + i, count - i);
    }
    return static_cast<double>(sum_of_lanes<T>((sums[0] + sums[1]) + (sums[2] + sums[3])));
}

template <class T> double sum(const T *values, int64_t count)
{
    double total = 0;
    for (int64_t i = 0; i < count; i += kStretch) {
        total += sum_stretch(values + i, count - i < kStretch ? count - i : kStretch);
    }
    return total;
}

/// sums = sums over lines of V vectors of columns, in C chains each.
template <class T, int V, int C, class Load>
inline void sum_columns(const T *first, int64_t lines, int64_t stride, T *sums, Load &&load_at)
{
    Vec<T> chains[size_t{V}][size_t{C}] = {};
    int64_t line = 0;
    for (; line + C <= lines; line += C) {
        for (int c = 0; c < C; ++c) {
            for (int v = 0; v < V; ++v) {
                chains[v][c] += load_at(first + (line + c) * stride + v * kLanes<T>);
            }
        }
    }
    for (; line < lines; ++line) {
        for (int v = 0; v < V; ++v) {
            chains[v][0] += load_at(first + line * stride + v * kLanes<T>);
        }
    }
    for (int v = 0; v < V; ++v) {
        Vec<T> column = chains[v][0];
        for (int c = 1; c < C; ++c) {
            column += chains[v][c];
        }
        store<T>(sums + v * kLanes<T>, column);
    }
}

/// Columns and lines whose sums are taken in T before they go on in double.
constexpr int64_t kColumns = 128;
constexpr int64_t kLines = 64;

/// sums [kColumns] = sums over lines of `length` columns; anything behind them. Loads
/// whole vectors as long as they end before `end`.
template <class T>
inline void sum_lines(const T *first, int64_t lines, int64_t stride, int64_t length, const T *end,
                      T *sums)
{
    const auto whole = [](const T *at) { return load(at); };
    int64_t i = 0;
    for (; i + 4 * kLanes<T> <= length; i += 4 * kLanes<T>) {
        sum_columns<T, 4, 1>(first + i, lines, stride, sums + i, whole);
    }
    for (; i + 2 * kLanes<T> <= length; i += 2 * kLanes<T>) {
        sum_columns<T, 2, 2>(first + i, lines, stride, sums + i, whole);
    }
    for (; i < length; i += kLanes<T>) {
        // Past the end of a line the next one begins; past the last one, nothing.
        const int64_t left = length - i < kLanes<T> ? length - i : kLanes<T>;
        if (end - (first + (lines - 1) * stride + i) >= kLanes<T>) {
            sum_columns<T, 1, 4>(first + i, lines, stride, sums + i, whole);
        }
        else {
            const auto careful = [&](const T *at) {
                return end - at >= kLanes<T> ? load(at) : load_partial(at, left);
            };
            sum_columns<T, 1, 4>(first + i, lines, stride, sums + i, careful);
        }
    }
}

/// The sum of `count` values; a vector behind them is readable.
template <class T> inline T sum_few(const T *values, int64_t count)
{
    if (count == 1) {
        return values[0];
    }
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef Index Indices __attribute__((vector_size(kVectorBytes)));
    Indices lane{};
    for (int l = 0; l < kLanes<T>; ++l) {
        lane[l] = l;
    }
    Vec<T> sum{};
    for (int64_t i = 0; i < count; i += kLanes<T>) {
        sum += lane < static_cast<Index>(count - i) ? load(values + i) : Vec<T>{};
    }
    return sum_of_lanes<T>(sum);
}

/// row[i] += the sum over some lines of the places in segment i, of those in
/// [from, to), whose sums over the lines are `columns`.
template <class T>
inline void add_segments(const std::vector<Interval> &segments, int64_t from, int64_t to,
                         const T *columns, double *row)
{
    for (const Interval &segment : segments) {
        const int64_t first = segment.first > from ? segment.first : from;
        const int64_t last = segment.last < to ? segment.last : to;
        if (first < last) {
            *row += static_cast<double>(sum_few(columns + (first - from), last - first));
        }
        ++row;
    }
}

template <class T> void sum_boxes(const T *array, const Cuts &cuts, double *boxes)
{
    const int64_t height = cuts.size[1];
    const int64_t width = cuts.size[2];
    const T *end = array + cuts.size[0] * height * width;
    alignas(64) T columns[kColumns + kLanes<T>];
    const std::vector<Interval> &widths = cuts.segments[2];
    double *row = boxes;
    for (const Interval &d : cuts.segments[0]) {
        for (const Interval &h : cuts.segments[1]) {
            for (size_t i = 0; i < widths.size(); ++i) {
                row[i] = 0;
            }
            for (int64_t i = d.first; i < d.last; ++i) {
                for (int64_t j = h.first; j < h.last; j += kLines) {
                    const int64_t lines = h.last - j < kLines ? h.last - j : kLines;
                    for (int64_t k = 0; k < width; k += kColumns) {
                        const int64_t to = width - k < kColumns ? width : k + kColumns;
                        sum_lines(array + (i * height + j) * width + k, lines, width, to - k, end,
                                  columns);
                        add_segments(widths, k, to, columns, row);
                    }
                }
            }
            row += widths.size();
        }
    }
}

template <class T> constexpr SumKernels<T> kKernels{sum<T>, sum_boxes<T>};
constexpr SumKernels<float> kFloat = kKernels<float>;
constexpr SumKernels<double> kDouble = kKernels<double>;

} // namespace

extern const SumTable kSums;
const SumTable kSums{&kFloat, &kDouble};

} // namespace xconv::cpu::XCONV_SIMD
