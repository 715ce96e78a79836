// Compiled once for each instruction set, into the namespace XCONV_SIMD. Written
// with the compilers' portable vector types; only the widths differ by target.
//
// Nothing in here may be an inline function shared with other files: the linker
// keeps one copy of those, possibly the one with instructions the machine lacks.
#include "cpu/simd.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "probe_entry.hpp"

namespace xconv::cpu::XCONV_SIMD {

namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
constexpr int kDotRows = 3; // dot() holds kDotRows x kDotColumns accumulators
constexpr int kDotColumns = 8;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
constexpr int kDotRows = 2;
constexpr int kDotColumns = 4;
#else
constexpr int kVectorBytes = 16;
constexpr int kDotRows = 2;
constexpr int kDotColumns = 4;
#endif
constexpr int kMixOutputs = 4; // mix() holds kMixOutputs x 2 accumulators
constexpr int kMixDepth = 8;   // and returns to them after so many terms

template <class T> struct Vector;
template <> struct Vector<float> {
    typedef float type __attribute__((vector_size(kVectorBytes)));
};
template <> struct Vector<double> {
    typedef double type __attribute__((vector_size(kVectorBytes)));
};
template <class T> using Vec = typename Vector<T>::type;
template <class T> constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T> inline Vec<T> load(const T *from)
{
    Vec<T> value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class T> inline void store(T *to, Vec<T> value) { std::memcpy(to, &value, sizeof value); }

/// The first `count` lanes from memory, zeros behind.
template <class T> inline Vec<T> load_partial(const T *from, int64_t count)
{
    Vec<T> value{};
    std::memcpy(&value, from, static_cast<size_t>(count) * sizeof(T));
    return value;
}

/// Halves are added to each other until one lane is left.
template <class V, int... Lane>
inline auto add_halves(V value, std::integer_sequence<int, Lane...> /*lanes*/)
{
    constexpr int half = sizeof...(Lane);
    return __builtin_shufflevector(value, value, Lane...) +
           __builtin_shufflevector(value, value, (half + Lane)...);
}

template <class T, int Count = kLanes<T>, class V> inline T sum_of_lanes(V value)
{
    if constexpr (Count == 2) {
        return value[0] + value[1];
    }
    else {
        return sum_of_lanes<T, Count / 2>(
            add_halves(value, std::make_integer_sequence<int, Count / 2>{}));
    }
}

// ------------------------------------------------------------------- drawing

/// 64-bit lanes. A Philox word occupies the low half of a lane; what stands in
/// the high half is ignored by multiply_low() and dropped at the end.
typedef uint64_t Lanes64 __attribute__((vector_size(kVectorBytes)));
constexpr int kLanes64 = kVectorBytes / 8;

/// The 64-bit products of the low halves.
inline Lanes64 multiply_low(Lanes64 a, Lanes64 b)
{
#if defined(__AVX512F__)
    return Lanes64(_mm512_mul_epu32(__m512i(a), __m512i(b)));
#elif defined(__AVX2__)
    return Lanes64(_mm256_mul_epu32(__m256i(a), __m256i(b)));
#elif defined(__SSE2__)
    return Lanes64(_mm_mul_epu32(__m128i(a), __m128i(b)));
#else
    return (a & 0xFFFFFFFFU) * (b & 0xFFFFFFFFU);
#endif
}

inline Lanes64 splat64(uint64_t value) { return Lanes64{} + value; }

/// Philox blocks drawn side by side.
constexpr int kBlocks = 16;
constexpr int kBlockVectors = kBlocks / kLanes64;
struct Counters {
    alignas(64) uint64_t word[4][kBlocks];
};

/// philox4x32_10 on kBlocks counters at once; block i to words[4 * i].
inline void philox_group(const Counters &counters, uint64_t seed, uint32_t *words)
{
    using C = PhiloxConstants;
    const Lanes64 multiplier0 = splat64(C::multiplier0);
    const Lanes64 multiplier1 = splat64(C::multiplier1);
    Lanes64 w[4][kBlockVectors];
    std::memcpy(w, counters.word, sizeof w);
    auto key0 = static_cast<uint32_t>(seed);
    auto key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < C::rounds; ++round) {
        for (int v = 0; v < kBlockVectors; ++v) {
            const Lanes64 a = multiply_low(w[0][v], multiplier0);
            const Lanes64 b = multiply_low(w[2][v], multiplier1);
            w[0][v] = (b >> 32) ^ w[1][v] ^ splat64(key0);
            w[1][v] = b;
            w[2][v] = (a >> 32) ^ w[3][v] ^ splat64(key1);
            w[3][v] = a;
        }
        key0 += C::weyl0;
        key1 += C::weyl1;
    }
    for (int v = 0; v < kBlockVectors; ++v) {
        const Lanes64 low = (w[0][v] & 0xFFFFFFFFU) | (w[1][v] << 32);
        const Lanes64 high = (w[2][v] & 0xFFFFFFFFU) | (w[3][v] << 32);
        for (int l = 0; l < kLanes64; ++l) {
            const uint64_t block[2] = {low[l], high[l]};
            std::memcpy(words + 4 * (v * kLanes64 + l), block, sizeof block);
        }
    }
}

/// words[column * per_column + block][4]: the blocks first .. first + per_column
/// of `columns` subsequences. Writes whole groups, up to kBlocks - 1 too many.
__attribute__((noinline)) void draw_words(uint64_t seed, uint64_t first, int64_t per_column,
                                          uint64_t first_column, int64_t columns, uint32_t *words)
{
    const int64_t total = columns * per_column;
    int64_t column = 0;
    int64_t block = 0;
    for (int64_t at = 0; at < total; at += kBlocks) {
        Counters counters;
        for (int l = 0; l < kBlocks; ++l) {
            const uint64_t index = first + static_cast<uint64_t>(block);
            const uint64_t subsequence = first_column + static_cast<uint64_t>(column);
            counters.word[0][l] = index;
            counters.word[1][l] = index >> 32;
            counters.word[2][l] = subsequence;
            counters.word[3][l] = subsequence >> 32;
            if (++block == per_column) {
                block = 0;
                ++column;
            }
        }
        philox_group(counters, seed, words + at * 4);
    }
}

constexpr int64_t round_to_blocks(int64_t blocks)
{
    return (blocks + kBlocks - 1) / kBlocks * kBlocks;
}

/// kDrawUnit sign bits to +1 and -1.
template <class T> inline void expand_signs(uint32_t bits, T *out)
{
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    typedef Bits BitLanes __attribute__((vector_size(kVectorBytes)));
    BitLanes place{}; // lane l selects bit l
    for (int l = 0; l < kLanes<T>; ++l) {
        place[l] = Bits{1} << l;
    }
    constexpr Bits sign = Bits{1} << (sizeof(T) * 8 - 1);
    const Vec<T> ones = Vec<T>{} + T(1);
    for (int p = 0; p < kDrawUnit; p += kLanes<T>) {
        const BitLanes chosen = (BitLanes{} + static_cast<Bits>(bits >> p)) & place;
        const BitLanes signs = BitLanes(chosen != 0) & sign;
        store<T>(out + p, Vec<T>(BitLanes(ones) | signs));
    }
}

template <class T>
void draw_signs(const Probes &probes, int64_t rows, int64_t columns, T *out, int64_t stride)
{
    constexpr int64_t kPerBlock = 128;
    constexpr int64_t kMost = kTileRows / kPerBlock + 2; // blocks that a tile touches
    uint32_t words[round_to_blocks(kMost * kColumnGroup) * 4 + 4];
    const int64_t first = probes.row / kPerBlock;
    const int64_t offset = probes.row - first * kPerBlock;
    const int64_t padded = (rows + kDrawUnit - 1) / kDrawUnit * kDrawUnit;
    const int64_t per_column = (offset + padded + kPerBlock - 1) / kPerBlock;
    draw_words(probes.seed, static_cast<uint64_t>(first), per_column,
               static_cast<uint64_t>(probes.column), columns, words);
    for (int64_t j = 0; j < columns; ++j) {
        const uint32_t *column = words + j * per_column * 4;
        for (int64_t p = 0; p < padded; p += kDrawUnit) {
            const int64_t bit = offset + p;
            uint64_t window = 0; // the 64 bits from the word that holds `bit`
            std::memcpy(&window, column + bit / 32, sizeof window);
            expand_signs(static_cast<uint32_t>(window >> (bit % 32)), out + j * stride + p);
        }
    }
}

/// Distributions that take a word each, `kChunk` blocks at a time so that the
/// loop over them always runs whole and an entry never depends on its place.
template <class T, class Map>
void draw_mapped(const Probes &probes, int64_t rows, int64_t columns, T *out, int64_t stride,
                 Map &&map)
{
    constexpr int64_t kPerBlock = 4;
    constexpr int64_t kChunk = kBlocks;
    const int64_t padded = (rows + kDrawUnit - 1) / kDrawUnit * kDrawUnit;
    const int64_t first = probes.row / kPerBlock;
    const int64_t offset = probes.row - first * kPerBlock;
    const int64_t blocks = (offset + padded + kPerBlock - 1) / kPerBlock;
    for (int64_t j = 0; j < columns; ++j) {
        for (int64_t at = 0; at < blocks; at += kChunk) {
            uint32_t words[kChunk * 4];
            T values[kChunk * 4];
            draw_words(probes.seed, static_cast<uint64_t>(first + at), kChunk,
                       static_cast<uint64_t>(probes.column + j), 1, words);
            map(words, values);
            const int64_t from = std::max<int64_t>(at * kPerBlock, offset);
            const int64_t to = std::min((at + kChunk) * kPerBlock, offset + padded);
            std::copy(values + (from - at * kPerBlock), values + (to - at * kPerBlock),
                      out + j * stride + (from - offset));
        }
    }
}

template <class T>
void draw(const Probes &probes, int64_t rows, int64_t columns, T *out, int64_t stride)
{
    constexpr int kWords = kBlocks * 4;
    switch (probes.distribution) {
    case Distribution::rademacher:
        draw_signs(probes, rows, columns, out, stride);
        break;
    case Distribution::uniform:
        draw_mapped(probes, rows, columns, out, stride, [](const uint32_t *words, T *values) {
            for (int i = 0; i < kWords; ++i) {
                values[i] = uniform_value<T>(words[i]);
            }
        });
        break;
    case Distribution::gaussian:
        draw_mapped(probes, rows, columns, out, stride, [](const uint32_t *words, T *values) {
            for (int i = 0; i < kWords; i += 2) {
                gaussian_pair(words[i], words[i + 1], values[i], values[i + 1]);
            }
        });
        break;
    }
}

// ---------------------------------------------------------------- projecting

/// R rows of x against J columns of z.
template <class T, int R, int J>
inline void dot_block(const T *x, int64_t x_stride, const T *z, int64_t z_stride, int64_t length,
                      T *out, int64_t out_stride)
{
    Vec<T> sum[size_t{R}][size_t{J}] = {};
    const int64_t whole = length / kLanes<T> * kLanes<T>;
    const auto step = [&](int64_t p, auto &&load_x) {
        Vec<T> xs[size_t{R}];
        for (int i = 0; i < R; ++i) {
            xs[i] = load_x(x + i * x_stride + p);
            // The next tile of this row lies in another page, where the
            // hardware's own prefetcher would have to start anew.
            __builtin_prefetch(x + i * x_stride + p + kTileRows, 0, 2);
        }
        for (int j = 0; j < J; ++j) {
            const Vec<T> zs = load(z + j * z_stride + p);
            for (int i = 0; i < R; ++i) {
                sum[i][j] += xs[i] * zs;
            }
        }
    };
    for (int64_t p = 0; p < whole; p += kLanes<T>) {
        step(p, [](const T *from) { return load(from); });
    }
    if (whole < length) {
        step(whole, [&](const T *from) { return load_partial(from, length - whole); });
    }
    for (int i = 0; i < R; ++i) {
        for (int j = 0; j < J; ++j) {
            out[i * out_stride + j] += sum_of_lanes<T>(sum[i][j]);
        }
    }
}

template <class T, int J>
void dot_columns(const T *x, int64_t x_stride, int64_t rows, const T *z, int64_t z_stride,
                 int64_t length, T *out, int64_t out_stride)
{
    int64_t i = 0;
    for (; i + kDotRows <= rows; i += kDotRows) {
        dot_block<T, kDotRows, J>(x + i * x_stride, x_stride, z, z_stride, length,
                                  out + i * out_stride, out_stride);
    }
    for (; i < rows; ++i) {
        dot_block<T, 1, J>(x + i * x_stride, x_stride, z, z_stride, length, out + i * out_stride,
                           out_stride);
    }
}

template <class T>
void dot(const T *x, int64_t x_stride, int64_t rows, const T *z, int64_t z_stride, int64_t columns,
         int64_t length, T *out, int64_t out_stride)
{
    int64_t j = 0;
    for (; j + kDotColumns <= columns; j += kDotColumns) {
        dot_columns<T, kDotColumns>(x, x_stride, rows, z + j * z_stride, z_stride, length, out + j,
                                    out_stride);
    }
    for (; j + 2 <= columns; j += 2) {
        dot_columns<T, 2>(x, x_stride, rows, z + j * z_stride, z_stride, length, out + j,
                          out_stride);
    }
    if (j < columns) {
        dot_columns<T, 1>(x, x_stride, rows, z + j * z_stride, z_stride, length, out + j,
                          out_stride);
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

extern const SimdVariant kVariant;
const SimdVariant kVariant{XCONV_STRING(XCONV_SIMD), runs_here, &kFloat, &kDouble};

} // namespace xconv::cpu::XCONV_SIMD
