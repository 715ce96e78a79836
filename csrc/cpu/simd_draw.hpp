// Drawing tiles of the probing matrix: probe_entry.hpp, many entries at a time.
// Part of simd_kernels.cpp, like simd_vector.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/simd.hpp"
#include "cpu/simd_philox.hpp"
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

/// Philox blocks drawn side by side.
constexpr int kBlocks = 16;
constexpr int kBlockVectors = kBlocks / kLanes64;
struct Counters {
    alignas(64) uint64_t word[4][kBlocks];
};

/// philox4x32_10 on kBlocks counters at once. What ends in the high halves of the
/// words has no meaning.
inline void philox_rounds(Counters &counters, uint64_t seed)
{
    Lanes64 w[4][kBlockVectors];
    std::memcpy(w, counters.word, sizeof w);
    philox_rounds(w, seed);
    std::memcpy(counters.word, w, sizeof w);
}

/// Block i to words[4 * i].
inline void philox_group(Counters &counters, uint64_t seed, uint32_t *words)
{
    philox_rounds(counters, seed);
    for (int l = 0; l < kBlocks; ++l) {
        for (int i = 0; i < 4; ++i) {
            words[4 * l + i] = static_cast<uint32_t>(counters.word[i][l]);
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
    constexpr int64_t kMost = kTileRows / kSignsPerBlock + 2; // blocks that a tile touches
    uint32_t words[round_to_blocks(kMost * kColumnGroup) * 4 + 4];
    const int64_t first = probes.row / kSignsPerBlock;
    const int64_t offset = probes.row - first * kSignsPerBlock;
    const int64_t padded = (rows + kDrawUnit - 1) / kDrawUnit * kDrawUnit;
    const int64_t per_column = (offset + padded + kSignsPerBlock - 1) / kSignsPerBlock;
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

/// words[4 * block + i][lane] of `blocks` blocks from `first[lane]` on.
inline void draw_lane_blocks(uint64_t seed, const int64_t *first, const int64_t *columns,
                             int64_t blocks, uint32_t *words)
{
    static_assert(kBitLanes == kBlocks);
    for (int64_t block = 0; block < blocks; ++block) {
        Counters counters;
        for (int l = 0; l < kBlocks; ++l) {
            const auto index = static_cast<uint64_t>(first[l] + block);
            const auto subsequence = static_cast<uint64_t>(columns[l]);
            counters.word[0][l] = index;
            counters.word[1][l] = index >> 32;
            counters.word[2][l] = subsequence;
            counters.word[3][l] = subsequence >> 32;
        }
        philox_rounds(counters, seed);
        for (int i = 0; i < 4; ++i) {
            for (int l = 0; l < kBlocks; ++l) {
                words[(4 * block + i) * kBlocks + l] = static_cast<uint32_t>(counters.word[i][l]);
            }
        }
    }
}

/// Lanes begin anywhere in a block: as many words at a time as fit `drawn`.
inline void draw_shifted_lanes(uint64_t seed, const int64_t *first, const int64_t *columns,
                               const int64_t *offsets, int64_t word_count, uint32_t *words)
{
    constexpr int64_t kDrawn = 8; // blocks
    uint32_t drawn[kDrawn * 4][kBitLanes];
    int64_t block[kBitLanes];
    constexpr int64_t at_once = 4 * (kDrawn - 2);
    for (int64_t from = 0; from < word_count; from += at_once) {
        for (int64_t l = 0; l < kBitLanes; ++l) {
            block[l] = first[l] + from / 4;
        }
        draw_lane_blocks(seed, block, columns, kDrawn, drawn[0]);
        const int64_t count = std::min(at_once, word_count - from);
        for (int64_t l = 0; l < kBitLanes; ++l) {
            const auto shift = static_cast<uint32_t>(offsets[l] % 32);
            for (int64_t w = 0; w < count; ++w) {
                const uint64_t low = drawn[offsets[l] / 32 + w][l];
                const uint64_t high = drawn[offsets[l] / 32 + w + 1][l];
                words[(from + w) * kBitLanes + l] =
                    static_cast<uint32_t>((low | high << 32) >> shift);
            }
        }
    }
}

inline void draw_bits(uint64_t seed, const int64_t *rows, const int64_t *columns, int64_t count,
                      uint32_t *words)
{
    int64_t first[kBitLanes];
    int64_t offsets[kBitLanes];
    bool aligned = true;
    for (int64_t l = 0; l < kBitLanes; ++l) {
        first[l] = rows[l] / kSignsPerBlock;
        offsets[l] = rows[l] % kSignsPerBlock;
        aligned = aligned && offsets[l] == 0;
    }
    if (aligned) {
        draw_lane_blocks(seed, first, columns, (count + kSignsPerBlock - 1) / kSignsPerBlock,
                         words);
    }
    else {
        draw_shifted_lanes(seed, first, columns, offsets, (count + 31) / 32, words);
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
