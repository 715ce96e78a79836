// Sums of many numbers, for mean deflation. Compiled once for each instruction set
// like simd_kernels.cpp.
#include <algorithm>
#include <cstdint>
#include <utility>

#include "cpu/simd.hpp"
#include "cpu/simd_vector.hpp"

namespace xconv::cpu::XCONV_SIMD {

namespace {

// -------------------------------------------------------------- sums of lanes

/// Takes lanes with bit Step clear from a, the others from Step lanes below in b; and
/// the same of what is left.
template <int Step, class V, int... Lane>
inline void exchange(V &a, V &b, std::integer_sequence<int, Lane...> /*lanes*/)
{
    constexpr int count = sizeof...(Lane);
    const V low =
        __builtin_shufflevector(a, b, ((Lane & Step) == 0 ? Lane : count + Lane - Step)...);
    b = __builtin_shufflevector(a, b, ((Lane & Step) == 0 ? Lane + Step : count + Lane)...);
    a = low;
}

/// Lane j of values[i] goes to lane i of values[j].
template <class T, int Step = kLanes<T> / 2> inline void transpose(Vec<T> *values)
{
    for (int i = 0; i < kLanes<T>; ++i) {
        if ((i & Step) == 0) {
            exchange<Step>(values[i], values[i + Step],
                           std::make_integer_sequence<int, kLanes<T>>{});
        }
    }
    if constexpr (Step > 1) {
        transpose<T, Step / 2>(values);
    }
}

/// Lanes [First, First + kLanes<double>) as doubles.
template <int First, int... Lane>
inline Vec<double> as_doubles(Vec<float> value, std::integer_sequence<int, Lane...> /*lanes*/)
{
    return __builtin_convertvector(__builtin_shufflevector(value, value, (First + Lane)...),
                                   Vec<double>);
}

/// sums[i] += lane i, for i < count and on to the end of a vector of doubles.
inline void add_to(double *sums, Vec<double> value, int64_t /*count*/)
{
    store<double>(sums, load(sums) + value);
}
inline void add_to(double *sums, Vec<float> value, int64_t count)
{
    constexpr std::make_integer_sequence<int, kLanes<double>> lanes;
    add_to(sums, as_doubles<0>(value, lanes), count);
    if (count > kLanes<double>) {
        add_to(sums + kLanes<double>, as_doubles<kLanes<double>>(value, lanes), count);
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
            T totals[size_t{kLanes<T>}];
            store(totals, sums_of_lanes<kLanes<T>>(lanes));
            for (int64_t r = 0; r < here; ++r) {
                sums[i + r] += static_cast<double>(totals[r]);
            }
        }
    }
}

// ---------------------------------------------------------- sums over meetings

/// Lines of some images, from a column on.
template <class T> struct Lines {
    const T *data;
    int64_t image; // from one to the next
    int64_t images;
    int64_t line; // from one to the next
    int64_t lines;
};

/// Where sums of columns go.
template <class T> struct Columns {
    T *sums; // [images][stride]
    int64_t stride;
    bool fresh; // or add to what is there
};

/// Sums over lines of V vectors of columns of I images at a time: V * I additions that
/// need not wait for each other.
template <class T, int V, int I, class Load>
inline int64_t sum_images(const Lines<T> &in, const Columns<T> &out, int64_t image, Load &&load_at)
{
    for (; image + I <= in.images; image += I) {
        const T *at = in.data + image * in.image;
        T *to = out.sums + image * out.stride;
        Vec<T> sums[size_t{I}][size_t{V}] = {};
        const auto each = [&](auto &&f) {
            for (int i = 0; i < I; ++i) {
                for (int v = 0; v < V; ++v) {
                    f(sums[i][v], i, v * kLanes<T>);
                }
            }
        };
        if (!out.fresh) {
            each([&](Vec<T> &sum, int i, int v) { sum = load(to + i * out.stride + v); });
        }
        for (int64_t line = 0; line < in.lines; ++line, at += in.line) {
            each([&](Vec<T> &sum, int i, int v) { sum += load_at(at + i * in.image + v); });
        }
        each([&](const Vec<T> &sum, int i, int v) { store<T>(to + i * out.stride + v, sum); });
    }
    return image;
}

template <class T, int V, class Load>
inline void sum_columns(const Lines<T> &in, const Columns<T> &out, Load &&load_at)
{
    constexpr int images = 4 / V;
    const int64_t image = sum_images<T, V, images>(in, out, 0, load_at);
    if constexpr (images > 1) {
        sum_images<T, V, 1>(in, out, image, load_at);
    }
}

/// The last `columns`, fewer than a vector holds, of lines behind which an image ends
/// after `rest` elements. Where a line ends, the next one or the next image begins;
/// only behind the last there is nothing to read.
template <class T>
inline void sum_last_columns(Lines<T> in, int64_t columns, int64_t rest, Columns<T> out)
{
    const auto whole = [](const T *at) { return load(at); };
    const auto partial = [columns](const T *at) { return load_partial(at, columns); };
    int64_t careful = 0; // images
    if (rest + columns < kLanes<T>) {
        careful = std::min(in.image < kLanes<T> ? in.images : 1, in.images);
    }
    const int64_t last = in.images - careful;
    in.images = last;
    sum_columns<T, 1>(in, out, whole);
    in.data += last * in.image;
    in.images = careful;
    out.sums += last * out.stride;
    sum_columns<T, 1>(in, out, partial);
}

template <class T>
void add_lines(const ImageLines<T> &given, int64_t width, const LineBlock &block, bool fresh,
               T *columns, int64_t stride)
{
    const auto whole = [](const T *at) { return load(at); };
    const int64_t line = block.line - given.block.line;
    const int64_t column = block.column - given.block.column;
    Lines<T> in{given.data + line * width + column, given.stride, given.images, width, block.lines};
    Columns<T> out{columns, stride, fresh};
    int64_t left = block.columns;
    const auto advance = [&](int64_t by) {
        in.data += by;
        out.sums += by;
        left -= by;
    };
    for (; left >= 4 * kLanes<T>; advance(4 * kLanes<T>)) {
        sum_columns<T, 4>(in, out, whole);
    }
    for (; left >= 2 * kLanes<T>; advance(2 * kLanes<T>)) {
        sum_columns<T, 2>(in, out, whole);
    }
    for (; left >= kLanes<T>; advance(kLanes<T>)) {
        sum_columns<T, 1>(in, out, whole);
    }
    if (left > 0) {
        const int64_t behind = (given.block.lines - line - block.lines) * width;
        sum_last_columns(in, left, behind + given.block.columns - column - block.columns, out);
    }
}

/// The columns at `from`, and as many as a vector has lanes, of up to that many images;
/// zeros for others.
template <class T>
inline void load_block(const T *from, int64_t stride, int64_t images, Vec<T> *block)
{
    for (int64_t i = 0; i < kLanes<T>; ++i) {
        block[i] = i < images ? load(from + i * stride) : Vec<T>{};
    }
}

/// Lane i: the sum of `count` vectors of columns of image i.
template <class T>
inline Vec<T> sum_blocks(const T *from, int64_t stride, int64_t images, int64_t count)
{
    Vec<T> sums[size_t{kLanes<T>}];
    load_block(from, stride, images, sums);
    for (int64_t b = 1; b < count; ++b) {
        for (int64_t i = 0; i < images; ++i) {
            sums[i] += load(from + i * stride + b * kLanes<T>);
        }
    }
    return sums_of_lanes<kLanes<T>>(sums);
}

/// fold_columns() for at most kLanes images.
template <class T>
inline void fold_lanes(const std::vector<Interval> &segments, Interval columns, const T *sums,
                       int64_t stride, int64_t images, double *boxes)
{
    size_t s = 0;
    const auto box = [&](int64_t column) {
        while (segments[s].last <= column) {
            ++s;
        }
        return boxes + static_cast<int64_t>(s) * kImageBatch;
    };
    const int64_t last = std::min(columns.last, segments.back().last);
    for (int64_t p = std::max(columns.first, segments.front().first); p < last;) {
        double *to = box(p);
        const T *from = sums + (p - columns.first);
        const int64_t count = (std::min(segments[s].last, last) - p) / kLanes<T>;
        if (count > 0) {
            add_to(to, sum_blocks(from, stride, images, count), images);
            p += count * kLanes<T>;
            continue;
        }
        // Columns of several segments: they become vectors of images.
        Vec<T> block[size_t{kLanes<T>}];
        load_block(from, stride, images, block);
        transpose<T>(block);
        const int64_t begin = p;
        for (const int64_t end = std::min(p + kLanes<T>, last); p < end;) {
            to = box(p);
            Vec<T> sum = block[p - begin];
            for (++p; p < std::min(segments[s].last, end); ++p) {
                sum += block[p - begin];
            }
            add_to(to, sum, images);
        }
    }
}

template <class T>
void fold_columns(const std::vector<Interval> &segments, Interval columns, const T *sums,
                  int64_t stride, int64_t images, double *boxes)
{
    for (int64_t i = 0; i < images && !segments.empty(); i += kLanes<T>) {
        fold_lanes(segments, columns, sums + i * stride, stride,
                   std::min<int64_t>(kLanes<T>, images - i), boxes + i);
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

/// out[image][k] (+)= in[k][image], as numbers in T.
template <class T>
void write_met(const double *in, int64_t places, int64_t images, const MetSums<T> &out)
{
    for (int64_t image = 0; image < images; ++image) {
        for (int64_t k = 0; k < places; ++k) {
            T &to = out.data[image * out.stride + k];
            const T sum = static_cast<T>(in[k * kImageBatch + image]);
            to = out.add ? to + sum : sum;
        }
    }
}

template <class T>
void sum_met(const Meetings &m, double *boxes, double *scratch, int64_t images,
             const MetSums<T> &sums)
{
    const auto count = [](const std::vector<Interval> &list) {
        return static_cast<int64_t>(list.size());
    };
    const int64_t before[] = {1, count(m.segments[0]), count(m.segments[0]) * count(m.segments[1])};
    int64_t after = kImageBatch;
    for (size_t axis = 3; axis-- > 0;) {
        const int64_t segments = count(m.segments[axis]);
        if (segments != 1 || count(m.met[axis]) != 1) {
            add_met(m.met[axis], before[axis], segments, after, boxes, scratch);
            std::swap(boxes, scratch);
        }
        after *= count(m.met[axis]);
    }
    write_met(boxes, after / kImageBatch, images, sums);
}

template <class T>
constexpr SumKernels<T> kKernels{sum_rows<T>, add_lines<T>, fold_columns<T>, sum_met<T>};
constexpr SumKernels<float> kFloat = kKernels<float>;
constexpr SumKernels<double> kDouble = kKernels<double>;

} // namespace

extern const SumTable kSums;
const SumTable kSums{&kFloat, &kDouble};

} // namespace xconv::cpu::XCONV_SIMD
