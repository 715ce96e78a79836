// Rounding to a few bits and back, many numbers at a time. Compiled once for each
// instruction set like simd_kernels.cpp, and EXACT: products and sums are never fused,
// and every copy gives the bits of packing_entry.hpp.
#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu/simd.hpp"
#include "cpu/simd_philox.hpp"
#include "cpu/simd_vector.hpp"
#include "packing_entry.hpp"

namespace xconv::cpu::XCONV_SIMD {

namespace {

/// Numbers coded together.
constexpr int64_t kUnit = 4 * kUnitBlocks;
/// Numbers whose codes come from one look at the table.
constexpr int64_t kTable = 16;

// ------------------------------------------------------------------ range

/// The smaller and the larger, lane by lane; of a NaN either.
template <class V> inline V smaller(V a, V b) { return a < b ? a : b; }
template <class V> inline V larger(V a, V b) { return a > b ? a : b; }

template <class T>
__attribute__((noinline)) void extend(const T *numbers, int64_t count, Extremes<T> *extremes)
{
    constexpr int kChains = 4; // comparisons that need not wait for each other
    constexpr int64_t step = kChains * kLanes<T>;
    Vec<T> low[kChains];
    Vec<T> high[kChains];
    Vec<T> rest[kChains]; // 0, and NaN once a number was not finite
    for (int c = 0; c < kChains; ++c) {
        low[c] = Vec<T>{} + extremes->low;
        high[c] = Vec<T>{} + extremes->high;
        rest[c] = Vec<T>{};
    }
    int64_t i = 0;
    for (; i + step <= count; i += step) {
        for (int c = 0; c < kChains; ++c) {
            const Vec<T> value = load(numbers + i + c * kLanes<T>);
            low[c] = smaller(value, low[c]);
            high[c] = larger(value, high[c]);
            rest[c] += value - value;
        }
    }
    for (int c = 1; c < kChains; ++c) {
        low[0] = smaller(low[c], low[0]);
        high[0] = larger(high[c], high[0]);
        rest[0] += rest[c];
    }
    Extremes<T> all = *extremes;
    for (int lane = 0; lane < kLanes<T>; ++lane) {
        all.low = std::min<T>(all.low, low[0][lane]);
        all.high = std::max<T>(all.high, high[0][lane]);
        all.finite = all.finite && rest[0][lane] == 0;
    }
    for (; i < count; ++i) {
        all.low = numbers[i] < all.low ? numbers[i] : all.low;
        all.high = numbers[i] > all.high ? numbers[i] : all.high;
        all.finite = all.finite && numbers[i] - numbers[i] == 0;
    }
    *extremes = all;
}

// ----------------------------------------------------------------- coding

/// Block indices of the lanes of draw_words(): in such an order that interleaving the
/// words of neighbouring lanes puts them in the order of their blocks.
constexpr auto kLaneBlocks = [] {
    struct {
        uint64_t at[2 * kLanes64];
    } blocks{};
    for (int v = 0; v < 2; ++v) {
        for (int lane = 0; lane < kLanes64; ++lane) {
            blocks.at[v * kLanes64 + lane] =
                static_cast<uint64_t>(v * kLanes64 + lane % 2 * (kLanes64 / 2) + lane / 2);
        }
    }
    return blocks;
}();

/// Even lanes (odd ones, for Odd = 1) of a and of b, taking turns.
template <int Odd> inline Lanes64 take_turns(Lanes64 a, Lanes64 b)
{
#if defined(__AVX512F__)
    constexpr int n = 8;
    return __builtin_shufflevector(a, b, Odd, n + Odd, 2 + Odd, n + 2 + Odd, 4 + Odd, n + 4 + Odd,
                                   6 + Odd, n + 6 + Odd);
#elif defined(__AVX2__)
    constexpr int n = 4;
    return __builtin_shufflevector(a, b, Odd, n + Odd, 2 + Odd, n + 2 + Odd);
#else
    return __builtin_shufflevector(a, b, Odd, 2 + Odd);
#endif
}

/// The words of blocks [first, first + kUnit / 4).
inline void draw_words(uint64_t seed, uint64_t subsequence, uint64_t first, uint32_t *words)
{
    for (int64_t at = 0; at < kUnit / 4; at += 2 * kLanes64) {
        Lanes64 w[4][2];
        std::memcpy(w[0], kLaneBlocks.at, sizeof w[0]);
        for (int v = 0; v < 2; ++v) {
            w[0][v] += first + static_cast<uint64_t>(at);
            w[1][v] = w[0][v] >> 32;
            w[2][v] = splat64(subsequence);
            w[3][v] = splat64(subsequence >> 32);
        }
        philox_rounds(w, seed);
        for (int v = 0; v < 2; ++v) {
            const Lanes64 low = (w[0][v] & 0xFFFFFFFFU) | (w[1][v] << 32);
            const Lanes64 high = (w[2][v] & 0xFFFFFFFFU) | (w[3][v] << 32);
            const Lanes64 blocks[2] = {take_turns<0>(low, high), take_turns<1>(low, high)};
            std::memcpy(words + 4 * (at + v * kLanes64), blocks, sizeof blocks);
        }
    }
}

/// The low `Bits` bits of eight bytes, side by side.
template <int Bits> inline uint64_t gather_bits(uint64_t bytes)
{
#if defined(__BMI2__)
    constexpr uint64_t each = (uint64_t{1} << Bits) - 1;
    return _pext_u64(bytes, each * 0x0101010101010101U);
#else
    bytes = (bytes | bytes >> (8 - Bits)) & (0x0001000100010001U * ((1U << 2 * Bits) - 1));
    bytes = (bytes | bytes >> (16 - 2 * Bits)) & (0x0000000100000001U * ((1U << 4 * Bits) - 1));
    return (bytes | bytes >> (32 - 4 * Bits)) & ((uint64_t{1} << 8 * Bits) - 1);
#endif
}

template <class T, int Bits>
inline void encode_unit(const Encoder<T> &encoder, const T *numbers, const uint32_t *words,
                        uint8_t *codes)
{
    uint8_t bytes[kUnit];
    for (int i = 0; i < kUnit; ++i) {
        bytes[i] = static_cast<uint8_t>(encoder.code(numbers[i], words[i]));
    }
    if constexpr (Bits == 8) {
        std::memcpy(codes, bytes, sizeof bytes);
    }
    else {
        for (int i = 0; i < kUnit / 8; ++i) {
            uint64_t eight = 0;
            std::memcpy(&eight, bytes + 8 * i, sizeof eight);
            eight = gather_bits<Bits>(eight);
            std::memcpy(codes + Bits * i, &eight, Bits);
        }
    }
}

template <class T, int Bits>
__attribute__((noinline)) void encode_bits(const Encoder<T> &encoder, uint64_t seed,
                                           uint64_t subsequence, int64_t place, const T *numbers,
                                           int64_t count, uint8_t *codes)
{
    const Encoder<T> here = encoder; // which the stores cannot change
    uint32_t words[kUnit];
    const auto first = static_cast<uint64_t>(place / 4);
    int64_t i = 0;
    for (; i + kUnit <= count; i += kUnit) {
        draw_words(seed, subsequence, first + static_cast<uint64_t>(i / 4), words);
        encode_unit<T, Bits>(here, numbers + i, words, codes + i * Bits / 8);
    }
    if (i < count) {
        const int64_t left = count - i;
        T padded[kUnit] = {};
        uint8_t unit[kUnit];
        std::copy_n(numbers + i, left, padded);
        draw_words(seed, subsequence, first + static_cast<uint64_t>(i / 4), words);
        encode_unit<T, Bits>(here, padded, words, unit);
        const int64_t bits = left * Bits;
        if (bits % 8 != 0) { // what no number owns is 0
            unit[bits / 8] = static_cast<uint8_t>(unit[bits / 8] & ((1U << (bits % 8)) - 1));
        }
        std::copy_n(unit, (bits + 7) / 8, codes + i * Bits / 8);
    }
}

template <class T>
void encode(const Encoder<T> &encoder, int bits, uint64_t seed, uint64_t subsequence, int64_t place,
            const T *numbers, int64_t count, uint8_t *codes)
{
    const auto run = bits == 1   ? encode_bits<T, 1>
                     : bits == 2 ? encode_bits<T, 2>
                     : bits == 4 ? encode_bits<T, 4>
                                 : encode_bits<T, 8>;
    run(encoder, seed, subsequence, place, numbers, count, codes);
}

// --------------------------------------------------------------- decoding

/// out[i] = table[code i] for kTable codes of Bits bits; the table repeats its levels
/// to the end, so that bits above a code do no harm.
template <int Bits> inline void look_up(const float *table, const uint8_t *codes, float *out);
template <int Bits> inline void look_up(const double *table, const uint8_t *codes, double *out);

template <int Bits> inline uint64_t load_codes(const uint8_t *codes)
{
    uint64_t bits = 0;
    std::memcpy(&bits, codes, kTable * Bits / 8);
    return bits;
}

#if defined(__AVX512F__)

template <int Bits> inline __m512i shifts(int first)
{
    alignas(64) int64_t by[8];
    for (int i = 0; i < 8; ++i) {
        by[i] = (first + i) * Bits;
    }
    return _mm512_load_si512(by);
}

template <int Bits> inline void look_up(const double *table, const uint8_t *codes, double *out)
{
    const __m512i bits = _mm512_set1_epi64(static_cast<int64_t>(load_codes<Bits>(codes)));
    const __m512d low = _mm512_loadu_pd(table);
    const __m512d high = _mm512_loadu_pd(table + 8);
    for (int i = 0; i < kTable; i += 8) {
        const __m512i index = _mm512_srlv_epi64(bits, shifts<Bits>(i));
        _mm512_storeu_pd(out + i, _mm512_permutex2var_pd(low, index, high));
    }
}

template <int Bits> inline void look_up(const float *table, const uint8_t *codes, float *out)
{
    const uint64_t bits = load_codes<Bits>(codes);
    alignas(64) int32_t by[kTable];
    for (int i = 0; i < kTable; ++i) {
        by[i] = i * Bits % 32;
    }
    const auto first = static_cast<int32_t>(bits);
    const auto second = static_cast<int32_t>(bits >> (Bits == 4 ? 32 : 0));
    const __m512i both = _mm512_mask_set1_epi32(_mm512_set1_epi32(first), 0xFF00, second);
    const __m512i index = _mm512_srlv_epi32(both, _mm512_load_si512(by));
    _mm512_storeu_ps(out, _mm512_permutexvar_ps(index, _mm512_loadu_ps(table)));
}

#else

template <class T, int Bits> inline void look_up_each(const T *table, const uint8_t *codes, T *out)
{
    const uint64_t bits = load_codes<Bits>(codes);
    for (int i = 0; i < kTable; ++i) {
        out[i] = table[bits >> (i * Bits) & ((1U << Bits) - 1)];
    }
}

template <int Bits> inline void look_up(const double *table, const uint8_t *codes, double *out)
{
    look_up_each<double, Bits>(table, codes, out);
}

#if defined(__AVX2__)
template <int Bits> inline void look_up(const float *table, const uint8_t *codes, float *out)
{
    const __m256 low = _mm256_loadu_ps(table);
    const __m256 high = _mm256_loadu_ps(table + 8);
    alignas(32) int32_t by[8];
    for (int i = 0; i < 8; ++i) {
        by[i] = i * Bits;
    }
    const __m256i shift = _mm256_load_si256(reinterpret_cast<const __m256i *>(by));
    for (int i = 0; i < kTable; i += 8) {
        const auto bits = static_cast<int32_t>(load_codes<Bits>(codes) >> (i * Bits));
        const __m256i index = _mm256_srlv_epi32(_mm256_set1_epi32(bits), shift);
        __m256 value = _mm256_permutevar8x32_ps(low, index);
        if constexpr (Bits == 4) { // the fourth bit chooses the half
            const __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));
            value = _mm256_blendv_ps(value, _mm256_permutevar8x32_ps(high, index), upper);
        }
        _mm256_storeu_ps(out + i, value);
    }
}
#else
template <int Bits> inline void look_up(const float *table, const uint8_t *codes, float *out)
{
    look_up_each<float, Bits>(table, codes, out);
}
#endif

#endif

template <class T, int Bits>
__attribute__((noinline)) void decode_bits(GroupRange<T> range, const uint8_t *codes, int64_t count,
                                           T *out)
{
    constexpr uint32_t levels = (1U << Bits) - 1;
    alignas(64) T table[kTable];
    for (uint32_t code = 0; code < kTable; ++code) {
        table[code] = decode(range, code & levels, levels);
    }
    int64_t i = 0;
    for (; i + kTable <= count; i += kTable) {
        look_up<Bits>(table, codes + i * Bits / 8, out + i);
    }
    for (; i < count; ++i) {
        out[i] = table[static_cast<uint32_t>(codes[i * Bits / 8]) >> (i * Bits % 8) & levels];
    }
}

template <class T>
__attribute__((noinline)) void decode_bytes(GroupRange<T> range, const uint8_t *codes,
                                            int64_t count, T *out)
{
    for (int64_t i = 0; i < count; ++i) {
        out[i] = decode(range, codes[i], 255U);
    }
}

template <class T>
void decode_codes(GroupRange<T> range, int bits, const uint8_t *codes, int64_t count, T *out)
{
    const auto run = bits == 1   ? decode_bits<T, 1>
                     : bits == 2 ? decode_bits<T, 2>
                     : bits == 4 ? decode_bits<T, 4>
                                 : decode_bytes<T>;
    run(range, codes, count, out);
}

template <class T> constexpr PackingKernels<T> kKernels{extend<T>, encode<T>, decode_codes<T>};
constexpr PackingKernels<float> kFloat = kKernels<float>;
constexpr PackingKernels<double> kDouble = kKernels<double>;

} // namespace

void draw_unit(uint64_t seed, uint64_t subsequence, uint64_t first, uint32_t *words);
void draw_unit(uint64_t seed, uint64_t subsequence, uint64_t first, uint32_t *words)
{
    draw_words(seed, subsequence, first, words);
}

extern const PackingTable kPacking;
const PackingTable kPacking{&kFloat, &kDouble};

} // namespace xconv::cpu::XCONV_SIMD
