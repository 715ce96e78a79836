// Sums of many numbers, for mean deflation. Compiled once for each instruction set
// like simd_kernels.cpp.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "cpu/simd.hpp"
#include "cpu/simd_vector.hpp"

namespace xconv::cpu::XCONV_SIMD {

/// words [4 * kUnitBlocks] of neighbouring blocks (simd_packing.cpp).
void draw_unit(uint64_t seed, uint64_t subsequence, uint64_t first, uint32_t *words);

namespace {

// -------------------------------------------------------------- sums of lanes

template <class V, int... Lane>
inline V add_neighbours(V a, V b, std::integer_sequence<int, Lane...> /*lanes*/)
{
    return __builtin_shufflevector(a, b, 2 * Lane...) +
           __builtin_shufflevector(a, b, (2 * Lane + 1)...);
}

/// Lane i: the sum of the lanes of values[i]. Uses values up.
template <class T> inline Vec<T> sums_of_lanes(Vec<T> *values)
{
    for (int count = kLanes<T>; count > 1; count /= 2) {
        for (int i = 0; i < count / 2; ++i) {
            values[i] = add_neighbours(values[2 * i], values[2 * i + 1],
                                       std::make_integer_sequence<int, kLanes<T>>{});
        }
    }
    return values[0];
}

/// sums[i] += lane i, for the first `count`.
template <class T> inline void add_to(double *sums, Vec<T> value, int64_t count)
{
    T lanes[size_t{kLanes<T>}];
    store(lanes, value);
    if (count == kLanes<T>) { // as vectors
        for (int i = 0; i < kLanes<T>; ++i) {
            sums[i] += static_cast<double>(lanes[i]);
        }
        return;
    }
    for (int64_t i = 0; i < count; ++i) {
        sums[i] += static_cast<double>(lanes[i]);
    }
}

// ---------------------------------------------------------------- sums of rows

constexpr int kChains = 4; // additions that need not wait for each other
/// Numbers added in T, before the sum goes on in double.
constexpr int64_t kStretch = 4096;

/// Lanes whose sum is that of at most kStretch numbers.
template <class T> inline Vec<T> sum_stretch(const T *values, int64_t count)
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
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

template <class T>
void sum_rows(const T *values, int64_t stride, int64_t rows, int64_t count, double *sums)
{
    for (int64_t i = 0; i < rows; i += kLanes<T>) {
        const int64_t here = std::min<int64_t>(kLanes<T>, rows - i);
        for (int64_t p = 0; p < count; p += kStretch) {
            const int64_t length = std::min(kStretch, count - p);
            Vec<T> lanes[size_t{kLanes<T>}] = {};
            for (int64_t r = 0; r < here; ++r) {
                lanes[r] = sum_stretch(values + (i + r) * stride + p, length);
            }
            add_to<T>(sums + i, sums_of_lanes<T>(lanes), here);
        }
    }
}

// ---------------------------------------------------------- sums over meetings

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
        const int64_t left = std::min<int64_t>(length - i, kLanes<T>);
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

/// A row of columns for each of some images. From `first` of them on there is
/// something to read, and up to `last`.
template <class T> struct ColumnRows {
    const T *data;
    int64_t stride;
    int64_t first;
    int64_t last;
};

/// Lanes [from, to), zeros elsewhere.
template <class T> inline Vec<T> keep_lanes(Vec<T> value, int64_t from, int64_t to)
{
    using Index = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    typedef Index Indices __attribute__((vector_size(kVectorBytes)));
    Indices lane{};
    for (int l = 0; l < kLanes<T>; ++l) {
        lane[l] = static_cast<Index>(l);
    }
    const auto kept = (lane >= static_cast<Index>(from)) & (lane < static_cast<Index>(to));
    return kept ? value : Vec<T>{};
}

/// Lanes whose sum is that of columns [from, to) of an image.
template <class T>
inline Vec<T> fold_columns(const ColumnRows<T> &rows, int64_t image, int64_t from, int64_t to)
{
    const T *columns = rows.data + image * rows.stride;
    Vec<T> sum{};
    int64_t i = from;
    for (; i + kLanes<T> <= to; i += kLanes<T>) {
        sum += load(columns + i);
    }
    const int64_t left = to - i;
    if (left == 0) {
        return sum;
    }
    if (i + kLanes<T> <= rows.last) {
        return sum + keep_lanes<T>(load(columns + i), 0, left);
    }
    if (to - kLanes<T> >= rows.first) {
        return sum + keep_lanes<T>(load(columns + to - kLanes<T>), kLanes<T> - left, kLanes<T>);
    }
    return sum + load_partial(columns + i, left);
}

/// boxes[segment][image] += sums of the columns of a segment, of those in [first, last),
/// which are what `rows` holds.
template <class T>
inline void add_segments(const std::vector<Interval> &segments, int64_t first, int64_t last,
                         const ColumnRows<T> &rows, int64_t images, double *boxes)
{
    for (const Interval &segment : segments) {
        const int64_t from = std::max(segment.first, first) - first;
        const int64_t to = std::min(segment.last, last) - first;
        if (to - from == 1) {
            for (int64_t i = 0; i < images; ++i) {
                boxes[i] += static_cast<double>(rows.data[i * rows.stride + from]);
            }
        }
        else if (from < to) {
            Vec<T> lanes[size_t{kLanes<T>}] = {};
            for (int64_t i = 0; i < images; ++i) {
                lanes[i] = fold_columns(rows, i, from, to);
            }
            add_to<T>(boxes, sums_of_lanes<T>(lanes), images);
        }
        boxes += kImageBatch;
    }
}

/// boxes[w][image] += the sums of lines [first, first + lines) of those given, for at
/// most kLanes images.
template <class T>
inline void add_lines(const Meetings &m, const ImageLines<T> &given, int64_t first, int64_t lines,
                      double *boxes)
{
    const std::vector<Interval> &widths = m.segments[2];
    const int64_t width = m.size[2];
    const int64_t begin = (first - given.first) * width;
    const int64_t end = given.count * width;
    if (lines == 1) {
        add_segments<T>(widths, 0, width, {given.data + begin, given.stride, -begin, end - begin},
                        given.images, boxes);
        return;
    }
    alignas(64) T columns[kLanes<T> * (kColumns + kLanes<T>)];
    const ColumnRows<T> summed{columns, kColumns + kLanes<T>, 0, kColumns + kLanes<T>};
    for (int64_t j = 0; j < lines; j += kLines) {
        const int64_t here = std::min(kLines, lines - j);
        for (int64_t k = 0; k < width; k += kColumns) {
            const int64_t to = std::min(width, k + kColumns);
            for (int64_t image = 0; image < given.images; ++image) {
                const T *from = given.data + image * given.stride;
                sum_lines(from + begin + j * width + k, here, width, to - k, from + end,
                          columns + image * summed.stride);
            }
            add_segments<T>(widths, k, to, summed, given.images, boxes);
        }
    }
}

template <class T> void add_boxes(const Meetings &m, const ImageLines<T> &lines, double *boxes)
{
    const int64_t height = m.size[1];
    const auto row = static_cast<int64_t>(m.segments[2].size()) * kImageBatch;
    const int64_t last = lines.first + lines.count;
    for (int64_t image = 0; image < lines.images; image += kLanes<T>) {
        ImageLines<T> batch = lines;
        batch.data += image * lines.stride;
        batch.images = std::min<int64_t>(kLanes<T>, lines.images - image);
        double *to = boxes + image;
        for (const Interval &d : m.segments[0]) {
            for (const Interval &h : m.segments[1]) {
                const int64_t depths = std::min(d.last, (last + height - 1) / height);
                for (int64_t i = std::max(d.first, lines.first / height); i < depths; ++i) {
                    const int64_t from = std::max(i * height + h.first, lines.first);
                    const int64_t end = std::min(i * height + h.last, last);
                    if (from < end) {
                        add_lines(m, batch, from, end - from, to);
                    }
                }
                to += row;
            }
        }
    }
}

static_assert(kImageBatch % kLanes<float> == 0 && kImageBatch % kLanes<double> == 0,
              "rows of boxes are whole vectors of images");

/// out[a][k][c] = sum over the segments s that place k meets of in[a][s][c], for
/// `before` values of a and `after`, whole vectors, of c.
void add_met(const std::vector<Interval> &met, int64_t before, int64_t segments, int64_t after,
             const double *in, double *out)
{
    for (int64_t a = 0; a < before; ++a) {
        for (const Interval &place : met) {
            for (int64_t c = 0; c < after; c += kLanes<double>) {
                Vec<double> sum{};
                for (int64_t s = place.first; s < place.last; ++s) {
                    sum += load(in + s * after + c);
                }
                store<double>(out + c, sum);
            }
            out += after;
        }
        in += segments * after;
    }
}

template <class T>
void sum_met(const Meetings &m, double *boxes, double *scratch, int64_t images, T *sums,
             int64_t stride)
{
    const auto count = [](const std::vector<Interval> &list) {
        return static_cast<int64_t>(list.size());
    };
    const int64_t depths = count(m.segments[0]);
    const int64_t heights = count(m.segments[1]);
    const int64_t row = count(m.met[2]) * kImageBatch;
    const int64_t plane = count(m.met[1]) * row;
    add_met(m.met[2], depths * heights, count(m.segments[2]), kImageBatch, boxes, scratch);
    add_met(m.met[1], depths, heights, row, scratch, boxes);
    add_met(m.met[0], 1, depths, plane, boxes, scratch);
    const int64_t places = count(m.met[0]) * plane / kImageBatch;
    for (int64_t i = 0; i < images; ++i) {
        for (int64_t k = 0; k < places; ++k) {
            sums[i * stride + k] = static_cast<T>(scratch[k * kImageBatch + i]);
        }
    }
}

// --------------------------------------------------------------------- signs

constexpr int64_t kWord = 64;   // bits
constexpr int64_t kBlock = 128; // bits of a Philox block
constexpr int64_t kUnit = kUnitBlocks * kBlock;

/// Set bits among bits [from, to) of `words`.
inline int64_t count_bits(const uint64_t *words, int64_t from, int64_t to)
{
    int64_t count = 0;
    for (int64_t word = from / kWord; word * kWord < to; ++word) {
        uint64_t bits = words[word];
        if (word * kWord < from) {
            bits &= ~uint64_t{0} << (from - word * kWord);
        }
        if (to - word * kWord < kWord) {
            bits &= (uint64_t{1} << (to - word * kWord)) - 1;
        }
        count += std::popcount(bits);
    }
    return count;
}

} // namespace

void count_signs(const Probes &probes, int64_t runs, int64_t length, int64_t *minus);
void count_signs(const Probes &probes, int64_t runs, int64_t length, int64_t *minus)
{
    const int64_t last = probes.row + runs * length;
    std::fill_n(minus, runs, 0);
    int64_t run = 0;
    for (int64_t begin = probes.row / kBlock * kBlock; begin < last; begin += kUnit) {
        uint64_t words[kUnit / kWord];
        uint32_t halves[kUnit / 32];
        draw_unit(probes.seed, static_cast<uint64_t>(probes.column),
                  static_cast<uint64_t>(begin / kBlock), halves);
        for (int64_t i = 0; i < kUnit / kWord; ++i) {
            words[i] = halves[2 * i] | static_cast<uint64_t>(halves[2 * i + 1]) << 32;
        }
        const int64_t end = std::min(begin + kUnit, last);
        for (int64_t at = std::max(begin, probes.row); at < end;) {
            const int64_t run_end = probes.row + (run + 1) * length;
            const int64_t to = std::min(run_end, end);
            minus[run] += count_bits(words, at - begin, to - begin);
            run += to == run_end ? 1 : 0;
            at = to;
        }
    }
}

namespace {

template <class T> constexpr SumKernels<T> kKernels{sum_rows<T>, add_boxes<T>, sum_met<T>};
constexpr SumKernels<float> kFloat = kKernels<float>;
constexpr SumKernels<double> kDouble = kKernels<double>;

} // namespace

extern const SumTable kSums;
const SumTable kSums{&kFloat, &kDouble};

} // namespace xconv::cpu::XCONV_SIMD
