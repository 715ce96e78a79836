// Compiled once for each instruction set, into the namespace XCONV_SIMD. Written
// with the compilers' portable vector types; only the widths differ by target.
//
// Nothing in here may be an inline function shared with other files: the linker
// keeps one copy of those, possibly the one with instructions the machine lacks.
#include "cpu/simd.hpp"

#include <type_traits>

#include "cpu/simd_draw.hpp"
#include "cpu/simd_half.hpp"
#include "cpu/simd_vector.hpp"

namespace xconv::cpu::XCONV_SIMD {

namespace {

// dot() holds kDotRows x kDotColumns accumulators and mix() kMixOutputs x 2, as
// the registers allow.
#if defined(__AVX512F__)
constexpr int kDotRows = 3;
constexpr int kDotColumns = 8;
constexpr int kMixOutputs = 8;
#else
constexpr int kDotRows = 2;
constexpr int kDotColumns = 4;
constexpr int kMixOutputs = 4;
#endif
constexpr int kMixRest = 4;  // outputs, where there are fewer
constexpr int kMixDepth = 8; // terms that mix() adds before it stores a sum

// ---------------------------------------------------------------- projecting

/// Some rows of x, and those that are read after them.
template <class T> struct DotRows {
    const T *x;
    int64_t stride;
    int64_t rows;
    const T *next;

    [[nodiscard]] const T *row(int64_t i) const { return x + i * stride; }
    /// The row that is read as long after row i as it takes to fetch one. It lies in
    /// another page, where the hardware's own prefetcher would have to start anew.
    [[nodiscard]] const T *ahead(int64_t i) const
    {
        constexpr int64_t distance = 2 * kDotRows;
        const int64_t later = i + (rows < distance ? rows : distance);
        return later < rows ? row(later) : next + (later - rows) * stride;
    }
};

/// R rows of x, from `row` on, against J columns of z, and the sums of x where Sum says so.
template <class T, int R, int J, bool Sum>
inline void dot_block(const DotRows<T> &x, int64_t row, const T *z, int64_t z_stride,
                      int64_t length, T *out, int64_t out_stride, const RowSums<T> &sums)
{
    const T *from[size_t{R}];
    const T *ahead[size_t{R}];
    for (int i = 0; i < R; ++i) {
        from[i] = x.row(row + i);
        ahead[i] = x.ahead(row + i);
    }
    Vec<T> sum[size_t{R}][size_t{J}] = {};
    Vec<T> ones[size_t{R}] = {};
    const auto step = [&](int64_t p, auto &&load_x) {
        Vec<T> xs[size_t{R}];
        for (int i = 0; i < R; ++i) {
            xs[i] = load_x(from[i] + p);
            __builtin_prefetch(ahead[i] + p, 0, 2);
            if constexpr (Sum) {
                ones[i] += xs[i];
            }
        }
        for (int j = 0; j < J; ++j) {
            const Vec<T> zs = load(z + j * z_stride + p);
            for (int i = 0; i < R; ++i) {
                sum[i][j] += xs[i] * zs;
            }
        }
    };
    int64_t run = 0;
    const auto end_run = [&] {
        for (int i = 0; i < R; ++i) {
            store_sums_of_lanes<T, 1>(ones + i, sums.data + (row + i) * sums.stride + run);
            ones[i] = Vec<T>{};
        }
        ++run;
    };
    // One loop over all runs: what is summed stays in registers from one to the next.
    int64_t end = sums.first;
    int64_t p = 0;
    for (; p + kLanes<T> <= length; p += kLanes<T>) {
        if (Sum && p == end) {
            end_run();
            end += sums.run;
        }
        step(p, [](const T *at) { return load(at); });
    }
    if (p < length) {
        if (Sum && p == end) {
            end_run();
        }
        step(p, [&](const T *at) { return load_partial(at, length - p); });
    }
    if constexpr (Sum) {
        end_run();
    }
    for (int i = 0; i < R; ++i) {
        T totals[size_t{J}];
        store_sums_of_lanes<T, J>(sum[i], totals);
        for (int j = 0; j < J; ++j) {
            out[(row + i) * out_stride + j] += totals[j];
        }
    }
}

template <class T, int J, bool Sum>
void dot_columns(const DotRows<T> &x, const T *z, int64_t z_stride, int64_t length, T *out,
                 int64_t out_stride, const RowSums<T> &sums)
{
    int64_t i = 0;
    for (; i + kDotRows <= x.rows; i += kDotRows) {
        dot_block<T, kDotRows, J, Sum>(x, i, z, z_stride, length, out, out_stride, sums);
    }
    for (; i < x.rows; ++i) {
        dot_block<T, 1, J, Sum>(x, i, z, z_stride, length, out, out_stride, sums);
    }
}

template <class T>
void dot(const T *x, int64_t x_stride, int64_t rows, const T *next, const T *z, int64_t z_stride,
         int64_t columns, int64_t length, T *out, int64_t out_stride, const RowSums<T> &sums)
{
    const DotRows<T> all{x, x_stride, rows, next};
    const auto some = [&]<int J>(std::integral_constant<int, J> /*columns*/, int64_t j) {
        const T *columns_of_z = z + j * z_stride;
        if (j == 0 && sums.data != nullptr) {
            dot_columns<T, J, true>(all, columns_of_z, z_stride, length, out, out_stride, sums);
        }
        else {
            dot_columns<T, J, false>(all, columns_of_z, z_stride, length, out + j, out_stride,
                                     sums);
        }
    };
    int64_t j = 0;
    for (; j + kDotColumns <= columns; j += kDotColumns) {
        some(std::integral_constant<int, kDotColumns>{}, j);
    }
    for (; j + 2 <= columns; j += 2) {
        some(std::integral_constant<int, 2>{}, j);
    }
    if (j < columns) {
        some(std::integral_constant<int, 1>{}, j);
    }
}

// -------------------------------------------------------------------- mixing

/// O rows of output gain D terms each. The first rows to need a tile of input
/// fetch the next one, which lies in other pages.
template <class T, int O, int D, bool Fetch>
inline void mix_block(const T *c, int64_t k_stride, int64_t i_stride, const T *in,
                      int64_t in_stride, int64_t run, T *out)
{
    T factor[size_t{D}][size_t{O}];
    for (int k = 0; k < D; ++k) {
        for (int i = 0; i < O; ++i) {
            factor[k][i] = c[k * k_stride + i * i_stride];
        }
    }
    constexpr int64_t wide = 2 * kLanes<T>;
    int64_t m = 0;
    for (; m + wide <= run; m += wide) {
        Vec<T> sum[size_t{O}][2];
        for (int i = 0; i < O; ++i) {
            sum[i][0] = load(out + i * kMixRun + m);
            sum[i][1] = load(out + i * kMixRun + m + kLanes<T>);
        }
        for (int k = 0; k < D; ++k) {
            const Vec<T> low = load(in + k * in_stride + m);
            const Vec<T> high = load(in + k * in_stride + m + kLanes<T>);
            if constexpr (Fetch) {
                __builtin_prefetch(in + k * in_stride + m + kMixRun, 0, 2);
                __builtin_prefetch(in + k * in_stride + m + kLanes<T> + kMixRun, 0, 2);
            }
            for (int i = 0; i < O; ++i) {
                sum[i][0] += low * factor[k][i];
                sum[i][1] += high * factor[k][i];
            }
        }
        for (int i = 0; i < O; ++i) {
            store<T>(out + i * kMixRun + m, sum[i][0]);
            store<T>(out + i * kMixRun + m + kLanes<T>, sum[i][1]);
        }
    }
    for (; m < run; ++m) {
        for (int i = 0; i < O; ++i) {
            T sum = out[i * kMixRun + m];
            for (int k = 0; k < D; ++k) {
                sum += in[k * in_stride + m] * factor[k][i];
            }
            out[i * kMixRun + m] = sum;
        }
    }
}

template <class T, int D>
inline void mix_depth(const T *c, int64_t k_stride, int64_t i_stride, int64_t rows, const T *in,
                      int64_t in_stride, int64_t run, T *out)
{
    int64_t i = 0;
    if (rows >= kMixOutputs) {
        mix_block<T, kMixOutputs, D, true>(c, k_stride, i_stride, in, in_stride, run, out);
        i = kMixOutputs;
    }
    for (; i + kMixOutputs <= rows; i += kMixOutputs) {
        mix_block<T, kMixOutputs, D, false>(c + i * i_stride, k_stride, i_stride, in, in_stride,
                                            run, out + i * kMixRun);
    }
    if (i == 0 && rows >= kMixRest) {
        mix_block<T, kMixRest, D, true>(c, k_stride, i_stride, in, in_stride, run, out);
        i = kMixRest;
    }
    for (; i < rows; ++i) {
        mix_block<T, 1, D, false>(c + i * i_stride, k_stride, i_stride, in, in_stride, run,
                                  out + i * kMixRun);
    }
}

template <class T>
void mix(const T *c, int64_t k_stride, int64_t i_stride, int64_t rows, int64_t depth, const T *in,
         int64_t in_stride, int64_t run, T *out)
{
    int64_t k = 0;
    for (; k + kMixDepth <= depth; k += kMixDepth) {
        mix_depth<T, kMixDepth>(c + k * k_stride, k_stride, i_stride, rows, in + k * in_stride,
                                in_stride, run, out);
    }
    for (; k < depth; ++k) {
        mix_depth<T, 1>(c + k * k_stride, k_stride, i_stride, rows, in + k * in_stride, in_stride,
                        run, out);
    }
}

// --------------------------------------------------------------------- table

template <class T> constexpr Kernels<T> kTable{draw<T>, dot<T>, mix<T>};
constexpr Kernels<float> kFloat = kTable<float>;
constexpr Kernels<double> kDouble = kTable<double>;
constexpr HalfKernels<Float16> kFloat16{widen, narrow};
constexpr HalfKernels<BFloat16> kBFloat16{widen, narrow};

bool runs_here()
{
#if defined(__AVX512F__)
    return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
           __builtin_cpu_supports("avx512cd") != 0;
#elif defined(__AVX2__)
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
           __builtin_cpu_supports("bmi2") != 0;
#else
    return true;
#endif
}

#define XCONV_STRING_(text) #text
#define XCONV_STRING(text) XCONV_STRING_(text)

} // namespace

// Of the other files compiled so.
void count_signs(const Probes &probes, int64_t runs, int64_t length, int64_t *minus);
extern const PackingTable kPacking;
extern const SumTable kSums;

extern const SimdVariant kVariant;
const SimdVariant kVariant{XCONV_STRING(XCONV_SIMD),
                           runs_here,
                           draw_bits,
                           count_signs,
                           &kPacking,
                           &kSums,
                           &kFloat,
                           &kDouble,
                           &kFloat16,
                           &kBFloat16};

} // namespace xconv::cpu::XCONV_SIMD
