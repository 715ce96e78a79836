// The inner loops of the random projection, one table of them for every
// instruction set this build knows.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "backend.hpp"

namespace xconv::cpu {

/// Columns of z drawn together, and rows of a tile of z that project() holds in
/// the first-level cache.
inline constexpr int64_t kColumnGroup = 8;
inline constexpr int64_t kTileRows = 512;
/// draw() rounds rows up to this many, so rows of its output need that room.
inline constexpr int64_t kDrawUnit = 32;
/// Places that are whole vectors, whatever the instruction set.
inline constexpr int64_t kSumUnit = 16;
/// Rows of output that mix() takes at most, and its longest run of columns.
inline constexpr int64_t kMixRows = 32;
inline constexpr int64_t kMixRun = 512;
/// Runs that are a multiple of this are fastest.
inline constexpr int64_t kMixUnit = 32;

/// data[i * stride + s]: the sum of run s of row i. The first is of `first` places, the
/// others of `run`, but for what the row has not: both multiples of kSumUnit. No sums where
/// data is null.
template <class T> struct RowSums {
    T *data = nullptr;
    int64_t stride = 0;
    int64_t first = 0;
    int64_t run = 0;

    /// Those of the rows from `row` on.
    [[nodiscard]] RowSums from(int64_t row) const
    {
        return {data + row * stride, stride, first, run};
    }
};

template <class T> struct Kernels {
    /// out[j * stride + p] = z(p, j) of the window, p < rows rounded up to
    /// kDrawUnit, j < columns <= kColumnGroup, rows <= kTileRows.
    void (*draw)(const Probes &probes, int64_t rows, int64_t columns, T *out, int64_t stride);

    /// out[i * out_stride + j] += sum over p < length of
    /// x[i * x_stride + p] * z[j * z_stride + p]; length <= kTileRows. Each sum's
    /// order depends on length alone. z is readable, and finite, to length rounded up
    /// to kDrawUnit. `next` are the rows that are read after these, to be fetched.
    void (*dot)(const T *x, int64_t x_stride, int64_t rows, const T *next, const T *z,
                int64_t z_stride, int64_t columns, int64_t length, T *out, int64_t out_stride,
                const RowSums<T> &sums);

    /// out[i * kMixRun + m] += sum over k < depth of c[k * k_stride + i * i_stride]
    /// * in[k * in_stride + m], in order of k; rows <= kMixRows, run <= kMixRun.
    void (*mix)(const T *c, int64_t k_stride, int64_t i_stride, int64_t rows, int64_t depth,
                const T *in, int64_t in_stride, int64_t run, T *out);
};

/// Columns of Rademacher probes whose sign bits are drawn side by side.
inline constexpr int64_t kBitLanes = 16;
/// Bit p % 32 of words[p / 32][lane] is set where z(rows[lane] + p, columns[lane]) is
/// -1, for p < count; words has room for `count` rounded up to kSignsPerBlock.
using DrawBits = void (*)(uint64_t seed, const int64_t *rows, const int64_t *columns, int64_t count,
                          uint32_t *words);

/// Conversions of arrays, with the values of half.hpp.
template <class Half> struct HalfKernels {
    void (*widen)(const Half *in, int64_t count, float *out);
    void (*narrow)(const float *in, int64_t count, Half *out);
};

/// The smallest and the largest of some numbers, as far as they have been seen.
template <class T> struct Extremes {
    T low;
    T high;
    bool finite; // all of them
};

/// packing_entry.hpp on many numbers; the same bits.
template <class T> struct PackingKernels {
    void (*extend)(const T *numbers, int64_t count, Extremes<T> *extremes);

    /// codes of numbers that lie at `place` of their row and take their random words
    /// from `subsequence`; place is a multiple of 8.
    void (*encode)(const Encoder<T> &encoder, int bits, uint64_t seed, uint64_t subsequence,
                   int64_t place, const T *numbers, int64_t count, uint8_t *codes);

    /// out[i] = the number of code i; code 0 starts at the first bit of its byte.
    void (*decode)(GroupRange<T> range, int bits, const uint8_t *codes, int64_t count, T *out);
};

/// Where places of a kernel meet x: each axis of y is cut into segments that follow one
/// another, so that the outputs at which a place meets x are some whole segments.
struct Meetings {
    std::array<int64_t, 3> size;                   // of y
    std::array<std::vector<Interval>, 3> segments; // of the outputs of an axis
    std::array<std::vector<Interval>, 3> met;      // segments, for each place of the kernel

    /// double that the boxes of a batch of images take, and each step of summing them.
    [[nodiscard]] int64_t boxes() const;
};

/// Images of a batch.
inline constexpr int64_t kImageBatch = 16;
/// Sums of columns come in whole vectors.
inline constexpr int64_t kColumnUnit = 16;

/// Some columns of some lines of y: lines are counted through all axes but the last.
struct LineBlock {
    int64_t line;
    int64_t lines;
    int64_t column;
    int64_t columns;
};

/// Such a block of some images, from its first line and column on.
template <class T> struct ImageLines {
    const T *data;
    int64_t stride; // from one image to the next
    int64_t images; // at most kImageBatch
    LineBlock block;
};

/// Sums [image][place of the kernel].
template <class T> struct MetSums {
    T *data;
    int64_t stride; // from one image to the next
    bool add;       // to what is there

    [[nodiscard]] MetSums from(int64_t image) const { return {data + image * stride, stride, add}; }
};

/// Sums in T a stretch at a time, in double across stretches. Their order depends on
/// the extents alone.
template <class T> struct SumKernels {
    /// sums[i] += the sum of row i.
    void (*sum_rows)(const T *values, int64_t stride, int64_t rows, int64_t count, double *sums);

    /// columns[image * stride + p] = the sum of column p of a block within the given one,
    /// of lines that are `width` long; or += it unless `fresh`. There is room for columns
    /// rounded up to kColumnUnit.
    void (*add_lines)(const ImageLines<T> &lines, int64_t width, const LineBlock &block, bool fresh,
                      T *columns, int64_t stride);

    /// boxes[segment][image] += what a segment has of sums of `columns`; rows of boxes are
    /// kImageBatch long.
    void (*fold_columns)(const std::vector<Interval> &segments, Interval columns, const T *sums,
                         int64_t stride, int64_t images, double *boxes);

    /// sums[image][k] (+)= the sum of an image, of a batch of them, over the outputs at
    /// which place k meets x. Uses boxes and as much scratch up.
    void (*sum_met)(const Meetings &meetings, double *boxes, double *scratch, int64_t images,
                    const MetSums<T> &sums);
};

/// Philox blocks that are drawn at once where they follow one another.
inline constexpr int64_t kUnitBlocks = 16;

/// minus[run] = the entries that are -1 in a run of `length` entries of a column of
/// Rademacher probes; runs follow one another from the window's first row on.
using CountSigns = void (*)(const Probes &probes, int64_t runs, int64_t length, int64_t *minus);

/// Kernels of one instruction set for both types.
template <template <class> class K> struct KernelTable {
    const K<float> *f32;
    const K<double> *f64;

    template <class T> [[nodiscard]] const K<T> &kernels() const
    {
        if constexpr (sizeof(T) == sizeof(float)) {
            return *f32;
        }
        else {
            return *f64;
        }
    }
};
using PackingTable = KernelTable<PackingKernels>; // simd_packing.cpp
using SumTable = KernelTable<SumKernels>;         // simd_sums.cpp

struct SimdVariant {
    const char *name;
    bool (*runs_here)(); // does this processor have the instructions?
    DrawBits draw_bits;
    CountSigns count_signs;
    const PackingTable *packing;
    const SumTable *sums;
    const Kernels<float> *f32;
    const Kernels<double> *f64;
    const HalfKernels<Float16> *f16;
    const HalfKernels<BFloat16> *bf16;

    template <class T> [[nodiscard]] const Kernels<T> &kernels() const
    {
        if constexpr (sizeof(T) == sizeof(float)) {
            return *f32;
        }
        else {
            return *f64;
        }
    }
    template <class Half> [[nodiscard]] const HalfKernels<Half> &halves() const
    {
        if constexpr (std::is_same_v<Half, Float16>) {
            return *f16;
        }
        else {
            return *bf16;
        }
    }
};

/// Every compiled variant, best first; the last one runs everywhere.
std::span<const SimdVariant> simd_variants();
/// The best variant this processor runs.
const SimdVariant &best_simd_variant();

} // namespace xconv::cpu
