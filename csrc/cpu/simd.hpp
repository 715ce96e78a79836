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
/// Rows of output that mix() takes at most, and its longest run of columns.
inline constexpr int64_t kMixRows = 32;
inline constexpr int64_t kMixRun = 512;

template <class T> struct Kernels {
    /// out[j * stride + p] = z(p, j) of the window, p < rows rounded up to
    /// kDrawUnit, j < columns <= kColumnGroup, rows <= kTileRows.
    void (*draw)(const Probes &probes, int64_t rows, int64_t columns, T *out, int64_t stride);

    /// out[i * out_stride + j] += sum over p < length of
    /// x[i * x_stride + p] * z[j * z_stride + p]; columns <= kColumnGroup and
    /// length <= kTileRows. Each sum's order depends on length alone. z is
    /// readable to length rounded up to kDrawUnit.
    void (*dot)(const T *x, int64_t x_stride, int64_t rows, const T *z, int64_t z_stride,
                int64_t columns, int64_t length, T *out, int64_t out_stride);

    /// out[i * kMixRun + m] += sum over k < depth of c[k * k_stride + i * i_stride]
    /// * in[k * in_stride + m], in order of k; rows <= kMixRows, run <= kMixRun.
    void (*mix)(const T *c, int64_t k_stride, int64_t i_stride, int64_t rows, int64_t depth,
                const T *in, int64_t in_stride, int64_t run, T *out);
};

/// Columns of Rademacher probes whose sign bits are drawn side by side.
inline constexpr int64_t kBitLanes = 16;
/// Bit p % 32 of words[p / 32][lane] is set where z(rows[lane] + p, columns[lane]) is
/// -1, for p < count; words has room for `count` rounded up to 128.
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

/// Places [first, last) of an axis.
struct Interval {
    int64_t first;
    int64_t last;
};

/// An array of three axes, each cut into segments that follow one another.
struct Cuts {
    std::array<int64_t, 3> size;
    std::array<std::vector<Interval>, 3> segments;
};

/// Sums in T a stretch at a time, in double across stretches. Their order depends on
/// the extents alone.
template <class T> struct SumKernels {
    double (*sum)(const T *values, int64_t count);

    /// boxes[d][h][w] = the sum over the box that three segments form.
    void (*sum_boxes)(const T *array, const Cuts &cuts, double *boxes);
};

/// Philox blocks that draw_unit() draws at once.
inline constexpr int64_t kUnitBlocks = 16;
/// words [kUnitBlocks * 4] of blocks [first, first + kUnitBlocks) of a subsequence.
using DrawUnit = void (*)(uint64_t seed, uint64_t subsequence, uint64_t first, uint32_t *words);

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
    DrawUnit draw_unit;
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
