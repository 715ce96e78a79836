// Drawing tiles of the probing matrix: probe_entry.hpp, many entries at a time.
// Part of simd_kernels.cpp, like simd_vector.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu/simd.hpp"
#include "cpu/simd_vector.hpp"
#include "probe_entry.hpp"

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
// glibc has these as vector functions (libmvec); saying so here lets loops use
// them without the licence of -ffast-math.
extern "C" {
__attribute__((simd("notinbranch"))) float logf(float) noexcept;
__attribute__((simd("notinbranch"))) float cosf(float) noexcept;
__attribute__((simd("notinbranch"))) float sinf(float) noexcept;
__attribute__((simd("notinbranch"))) double log(double) noexcept;
__attribute__((simd("notinbranch"))) double cos(double) noexcept;
__attribute__((simd("notinbranch"))) double sin(double) noexcept;
}
#endif

namespace xconv::cpu::XCONV_SIMD {

namespace {

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

constexpr int64_t kRowsPerBlock = 128; // of Rademacher probes
constexpr int64_t kBitBlocks = 4 * kBlocks;
constexpr int64_t kBitColumns = 8; // drawn together
static_assert(kDrawUnit == 32 && kBitBlocks / kBitColumns > 1);

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

/// Sign bits of some rows, less than kBitBlocks of them in all columns together.
inline void draw_bit_rows(const Probes &probes, int64_t rows, int64_t columns, uint32_t *out,
                          int64_t stride)
{
    uint32_t words[kBitBlocks * 4 + 4];
    const int64_t first = probes.row / kRowsPerBlock;
    const int64_t offset = probes.row - first * kRowsPerBlock;
    const int64_t padded = (rows + kDrawUnit - 1) / kDrawUnit * kDrawUnit;
    const int64_t per_column = (offset + padded + kRowsPerBlock - 1) / kRowsPerBlock;
    draw_words(probes.seed, static_cast<uint64_t>(first), per_column,
               static_cast<uint64_t>(probes.column), columns, words);
    for (int64_t j = 0; j < columns; ++j) {
        const uint32_t *column = words + j * per_column * 4;
        for (int64_t p = 0; p < rows; p += 32) {
            const int64_t bit = offset + p;
            uint64_t window = 0; // the 64 bits from the word that holds `bit`
            std::memcpy(&window, column + bit / 32, sizeof window);
            out[j * stride + p / 32] = static_cast<uint32_t>(window >> (bit % 32));
        }
    }
}

inline void draw_bits(const Probes &probes, int64_t rows, int64_t columns, uint32_t *out,
                      int64_t stride)
{
    Probes window = probes;
    for (int64_t j = 0; j < columns; j += kBitColumns) {
        const int64_t count = std::min(kBitColumns, columns - j);
        const int64_t tile = (kBitBlocks / count - 1) * kRowsPerBlock;
        window.column = probes.column + j;
        for (int64_t p = 0; p < rows; p += tile) {
            window.row = probes.row + p;
            draw_bit_rows(window, std::min(tile, rows - p), count, out + j * stride + p / 32,
                          stride);
        }
    }
}

template <class T>
void draw_signs(const Probes &probes, int64_t rows, int64_t columns, T *out, int64_t stride)
{
    constexpr int64_t kUnits = kTileRows / kDrawUnit;
    uint32_t bits[kColumnGroup * kUnits];
    draw_bits(probes, rows, columns, bits, kUnits);
    for (int64_t j = 0; j < columns; ++j) {
        for (int64_t p = 0; p < rows; p += kDrawUnit) {
            expand_signs(bits[j * kUnits + p / kDrawUnit], out + j * stride + p);
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

/// Words and values of draw_mapped(), a whole number of vectors.
constexpr int kWords = kBlocks * 4;

template <class T> void map_uniform(const uint32_t *words, T *values)
{
    for (int i = 0; i < kWords; ++i) {
        values[i] = uniform_value<T>(words[i]);
    }
}

/// gaussian_pair() in loops of one function each, which vectorise.
template <class T> void map_gaussian(const uint32_t *words, T *values)
{
    constexpr int pairs = kWords / 2;
    T radius[pairs];
    T angle[pairs];
    T sine[pairs];
    for (int i = 0; i < pairs; ++i) {
        radius[i] = gaussian_cell<T>(words[2 * i]);
        angle[i] = gaussian_angle<T>(words[2 * i + 1]);
    }
    for (int i = 0; i < pairs; ++i) {
        radius[i] = std::log(radius[i]);
    }
    for (int i = 0; i < pairs; ++i) {
        radius[i] = std::sqrt(T(-2) * radius[i]);
    }
    for (int i = 0; i < pairs; ++i) {
        sine[i] = std::sin(angle[i]);
    }
    for (int i = 0; i < pairs; ++i) {
        angle[i] = std::cos(angle[i]);
    }
    for (int i = 0; i < pairs; ++i) {
        values[2 * i] = radius[i] * angle[i];
        values[2 * i + 1] = radius[i] * sine[i];
    }
}

template <class T>
void draw(const Probes &probes, int64_t rows, int64_t columns, T *out, int64_t stride)
{
    switch (probes.distribution) {
    case Distribution::rademacher:
        draw_signs(probes, rows, columns, out, stride);
        break;
    case Distribution::uniform:
        draw_mapped(probes, rows, columns, out, stride, map_uniform<T>);
        break;
    case Distribution::gaussian:
        draw_mapped(probes, rows, columns, out, stride, map_gaussian<T>);
        break;
    }
}

} // namespace

} // namespace xconv::cpu::XCONV_SIMD
