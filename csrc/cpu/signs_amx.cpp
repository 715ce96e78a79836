// Compiled for AVX-512 and AMX whatever the rest of the library is compiled for:
// nothing in here may run before available() said so, nor be an inline function
// shared with other files.
#include <immintrin.h>

#include <cstddef>
#include <type_traits>
#include <utility>

#include "cpu/signs.hpp"

namespace xconv::cpu::signs {

namespace {

// ------------------------------------------------------------ the matrix units

/// Tile registers: sums, the three pieces of the split side, the paired side.
constexpr int kSums = 0;
constexpr int kSplit = 4;
constexpr int kPaired = 7;
constexpr int kSumsAtOnce = kSplit - kSums;
constexpr int kTileBytes = 64; // of a row
/// Steps for which the split side stays in the first-level cache beside the paired.
constexpr int64_t kStepsAtOnce = 8;

struct alignas(64) TileConfig {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
};

// The compilers' intrinsics do not tell them that these read and write memory.
template <int Tile> inline void load_tile(const void *from, int64_t stride)
{
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(Tile) : "memory");
}
template <int Tile> inline void store_tile(void *to, int64_t stride)
{
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(Tile) : "memory");
}
template <int Tile> inline void zero_tile() { asm volatile("tilezero %%tmm%c0" ::"i"(Tile)); }
template <int Sum, int Left, int Right> inline void multiply_tiles()
{
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(Sum), "i"(Left), "i"(Right));
}

// --------------------------------------------------------------------- pieces

/// The leading 8 significant bits. What is left is exactly the other pieces.
inline __m512i leading(__m512i value)
{
    return _mm512_and_si512(value, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U)));
}

/// The same, rounded: what is left is smaller and of either sign.
inline __m512i leading_rounded(__m512i value)
{
    return leading(_mm512_add_epi32(value, _mm512_set1_epi32(0x8000)));
}

inline __m512i minus(__m512i value, __m512i piece)
{
    return _mm512_castps_si512(
        _mm512_sub_ps(_mm512_castsi512_ps(value), _mm512_castsi512_ps(piece)));
}

/// What the next call reads lies behind what this one does, in as many pages as there
/// are rows: more than the hardware's own prefetcher follows.
inline void fetch(const float *from)
{
    _mm_prefetch(reinterpret_cast<const char *>(from), _MM_HINT_T0);
}

inline __mmask16 first_lanes(int64_t count)
{
    return static_cast<__mmask16>(count >= kLanes ? 0xFFFF : (1U << count) - 1);
}

inline __m512i load_first(const float *from, int64_t count)
{
    return count <= 0 ? _mm512_setzero_si512()
                      : _mm512_castps_si512(_mm512_maskz_loadu_ps(first_lanes(count), from));
}

/// 32 numbers of a row, and the three pieces of each.
inline void split_row(__m512i low, __m512i high, uint16_t *row)
{
    const __m512i upper_halves =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                         25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    const auto put = [&](int64_t piece, __m512i a, __m512i b) {
        _mm512_storeu_si512(row + piece * kLanes * kDepth,
                            _mm512_permutex2var_epi16(a, upper_halves, b));
    };
    for (int64_t piece = 0; piece + 1 < kPieces; ++piece) {
        const __m512i low_piece = leading_rounded(low);
        const __m512i high_piece = leading_rounded(high);
        put(piece, low_piece, high_piece);
        low = minus(low, low_piece);
        high = minus(high, high_piece);
    }
    put(kPieces - 1, low, high);
}

/// 16 numbers of two rows side by side, and the three pieces of each.
inline void split_pair(__m512i even, __m512i odd, uint32_t *row)
{
    for (int64_t piece = 0; piece < kPieces; ++piece) {
        const __m512i odd_piece = leading(odd);
        _mm512_storeu_si512(row + piece * kPairedTile,
                            _mm512_or_si512(odd_piece, _mm512_srli_epi32(even, 16)));
        even = minus(even, leading(even));
        odd = minus(odd, odd_piece);
    }
}

/// In each quarter, four neighbouring numbers: its part of the sums of rows[0] to rows[3].
inline __m512 sums_of_quarters(const __m512 *rows)
{
    const auto add_pairs = [](__m512 a, __m512 b) {
        return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    };
    const __m512d low = _mm512_castps_pd(add_pairs(rows[0], rows[1]));
    const __m512d high = _mm512_castps_pd(add_pairs(rows[2], rows[3]));
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
}

/// Lane i: the sum of the lanes of rows[i].
inline __m512 sums_of_lanes(const __m512 *rows)
{
    constexpr int even = 0x88; // quarters 0 and 2 of both sides
    constexpr int odd = 0xDD;
    const auto add_quarters = [](__m512 a, __m512 b) {
        return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, even), _mm512_shuffle_f32x4(a, b, odd));
    };
    const __m512 low = add_quarters(sums_of_quarters(rows), sums_of_quarters(rows + 4));
    const __m512 high = add_quarters(sums_of_quarters(rows + 8), sums_of_quarters(rows + 12));
    return add_quarters(low, high);
}

/// split(), and put(row, lanes that add up to the sum of the row).
template <class Put>
void split_rows(const float *in, int64_t stride, int64_t rows, int64_t columns, int64_t ahead,
                uint16_t *tiles, const Put &put)
{
    for (int64_t i = 0; i < rows; ++i) {
        const float *row = in + i * stride;
        uint16_t *to = tiles + i * kDepth;
        __m512 sum = _mm512_setzero_ps();
        const auto split_next = [&](__m512i low, __m512i high) {
            sum = _mm512_add_ps(sum,
                                _mm512_add_ps(_mm512_castsi512_ps(low), _mm512_castsi512_ps(high)));
            split_row(low, high, to);
        };
        int64_t p = 0;
        for (; p + kDepth <= columns; p += kDepth, to += kSplitTile) {
            fetch(row + p + ahead);
            fetch(row + p + ahead + kLanes);
            split_next(_mm512_loadu_si512(row + p), _mm512_loadu_si512(row + p + kLanes));
        }
        if (p < columns) {
            split_next(load_first(row + p, columns - p),
                       load_first(row + p + kLanes, columns - p - kLanes));
        }
        put(i, sum);
    }
}

// ------------------------------------------------------------------- products

/// Calls action(constant t) for t < Count.
template <int Count, class Action> inline void repeat(const Action &action)
{
    [&]<int... Tile>(std::integer_sequence<int, Tile...>)
    {
        (action(std::integral_constant<int, Tile>{}), ...);
    }
    (std::make_integer_sequence<int, Count>{});
}

/// `Count` tiles of sums at once, over steps [from, to): each load of the split side
/// serves all of them.
template <bool Numbers, int Count>
void multiply_at_once(const Product &p, int64_t first, int64_t from, int64_t to)
{
    constexpr int64_t piece = kLanes * kDepth;
    const uint16_t *split = p.split + from * p.split_step;
    const uint32_t *paired[size_t{Count}];
    float *sums[size_t{Count}];
    for (int64_t t = 0; t < Count; ++t) {
        paired[t] = p.paired[first + t];
        sums[t] = p.sums + (first + t) * p.sums_tile;
    }
    const int64_t sums_row = p.sums_row * static_cast<int64_t>(sizeof(float));
    const int64_t paired_row = p.paired_row * static_cast<int64_t>(sizeof(uint32_t));
    repeat<Count>([&](auto t) {
        if (p.accumulate || from > 0) {
            load_tile<kSums + t>(sums[t], sums_row);
        }
        else {
            zero_tile<kSums + t>();
        }
    });
    int64_t offset = from * p.paired_step + from / p.run * p.gap;
    int64_t in_run = from % p.run;
    for (int64_t step = from; step < to; ++step) {
        repeat<kPieces>([&](auto i) { load_tile<kSplit + i>(split + i * piece, kTileBytes); });
        repeat<Count>([&](auto t) {
            const uint32_t *tile = paired[t] + offset;
            load_tile<kPaired>(tile, paired_row);
            repeat<kPieces>([&](auto i) { multiply_tiles<kSums + t, kSplit + i, kPaired>(); });
            if constexpr (Numbers) { // the pieces that count
                load_tile<kPaired>(tile + kPairedTile, paired_row);
                multiply_tiles<kSums + t, kSplit, kPaired>();
                multiply_tiles<kSums + t, kSplit + 1, kPaired>();
                load_tile<kPaired>(tile + 2 * kPairedTile, paired_row);
                multiply_tiles<kSums + t, kSplit, kPaired>();
            }
        });
        split += p.split_step;
        offset += p.paired_step;
        if (++in_run == p.run) {
            in_run = 0;
            offset += p.gap;
        }
    }
    repeat<Count>([&](auto t) { store_tile<kSums + t>(sums[t], sums_row); });
}

template <bool Numbers> void multiply(const Product &product)
{
    for (int64_t from = 0; from < product.steps; from += kStepsAtOnce) {
        const int64_t to =
            product.steps - from < kStepsAtOnce ? product.steps : from + kStepsAtOnce;
        int64_t t = 0;
        for (; t + kSumsAtOnce <= product.count; t += kSumsAtOnce) {
            multiply_at_once<Numbers, kSumsAtOnce>(product, t, from, to);
        }
        switch (product.count - t) {
        case 3:
            multiply_at_once<Numbers, 3>(product, t, from, to);
            break;
        case 2:
            multiply_at_once<Numbers, 2>(product, t, from, to);
            break;
        case 1:
            multiply_at_once<Numbers, 1>(product, t, from, to);
            break;
        default:
            break;
        }
    }
}

// ---------------------------------------------------------------------- signs

/// The 32 bits of every lane from bit `first` on.
inline __m512i words_from(const uint32_t *words, int64_t first)
{
    const uint32_t *here = words + first / 32 * kLanes;
    const auto shift = static_cast<unsigned>(first % 32);
    return shift == 0
               ? _mm512_loadu_si512(here)
               : _mm512_or_si512(_mm512_srli_epi32(_mm512_loadu_si512(here), shift),
                                 _mm512_slli_epi32(_mm512_loadu_si512(here + kLanes), 32 - shift));
}

/// Exchanges the bits of `mask` with those `Shift` places above them.
template <unsigned Shift> inline __m512i exchange(__m512i value, int mask)
{
    constexpr int and_of_xor = 0x28; // (a ^ b) & c
    constexpr int xor_of_three = 0x96;
    const __m512i moved = _mm512_ternarylogic_epi32(value, _mm512_srli_epi32(value, Shift),
                                                    _mm512_set1_epi32(mask), and_of_xor);
    return _mm512_ternarylogic_epi32(value, moved, _mm512_slli_epi32(moved, Shift), xor_of_three);
}

/// Bits 2 q and 2 q + 1 of every lane to bits 15 and 31, for q = 0; one rotation to
/// the right leads to the next q.
inline __m512i sign_pairs(__m512i bits)
{
    bits = exchange<1>(bits, 0x22222222);
    bits = exchange<2>(bits, 0x0C0C0C0C);
    bits = exchange<4>(bits, 0x00F000F0);
    bits = exchange<8>(bits, 0x0000FF00);
    return _mm512_rol_epi32(bits, 15);
}

/// Bits 15 and 31 as the signs of two bfloat16 of magnitude 1.
inline __m512i as_numbers(__m512i bits)
{
    constexpr int and_or = 0xEA; // (a & b) | c
    return _mm512_ternarylogic_epi32(bits, _mm512_set1_epi32(static_cast<int>(0x80008000U)),
                                     _mm512_set1_epi32(0x3F803F80), and_or);
}

} // namespace

Units::Units(int64_t rows)
{
    TileConfig config;
    for (int tile = 0; tile <= kPaired; ++tile) {
        config.row_bytes[tile] = kTileBytes;
        config.rows[tile] = static_cast<uint8_t>(tile == kPaired || rows > kLanes ? kLanes : rows);
    }
    asm volatile("ldtilecfg %0" ::"m"(config));
}

Units::~Units() { asm volatile("tilerelease"); }

void split(const float *in, int64_t stride, int64_t rows, int64_t columns, int64_t ahead,
           uint16_t *tiles)
{
    split_rows(in, stride, rows, columns, ahead, tiles, [](int64_t, __m512) {});
}

void split_and_sum(const float *in, int64_t stride, int64_t rows, int64_t columns, int64_t ahead,
                   uint16_t *tiles, float *sums)
{
    __m512 lanes[size_t{kLanes}] = {};
    split_rows(in, stride, rows, columns, ahead, tiles,
               [&lanes](int64_t i, __m512 sum) { lanes[i] = sum; });
    _mm512_storeu_ps(sums, sums_of_lanes(lanes));
}

void pair_places(const uint32_t *words, int64_t first, int64_t places, uint32_t *pairs)
{
    const __m512i low_half = _mm512_set1_epi32(0xFFFF);
    uint32_t *last = pairs + (places - 1) * kLanes;
    const __m512i before = _mm512_and_si512(_mm512_loadu_si512(pairs - kLanes), low_half);
    for (int64_t p = 0; p < places; p += 32) {
        __m512i even = sign_pairs(words_from(words, first + p));
        __m512i odd = sign_pairs(words_from(words, first + p + 1));
        const int64_t count = places - p < 32 ? places - p : 32;
        for (int64_t i = 0; i < count; i += 2) {
            _mm512_storeu_si512(pairs + (p + i) * kLanes, as_numbers(even));
            _mm512_storeu_si512(pairs + (p + i + 1) * kLanes, as_numbers(odd));
            even = _mm512_ror_epi32(even, 1);
            odd = _mm512_ror_epi32(odd, 1);
        }
    }
    _mm512_storeu_si512(last, _mm512_and_si512(_mm512_loadu_si512(last), low_half));
    const __m512i here = _mm512_slli_epi32(_mm512_loadu_si512(pairs), 16);
    _mm512_storeu_si512(pairs - kLanes, _mm512_or_si512(before, here));
}

void pair_words(const uint32_t *words, int64_t count, uint32_t *tiles)
{
    for (int64_t w = 0; w < count; ++w) {
        __m512i signs = sign_pairs(_mm512_loadu_si512(words + w * kLanes));
        for (int64_t pair = 0; pair < kDepth / 2; ++pair) {
            _mm512_storeu_si512(tiles, as_numbers(signs));
            tiles += kLanes;
            signs = _mm512_ror_epi32(signs, 1);
        }
    }
}

void pair_probes(const uint32_t *words, int64_t stride, int64_t steps, int64_t places,
                 uint32_t *tiles)
{
    const __m512i ones = _mm512_set1_epi32(0x3F803F80);
    const __m512i even_sign = _mm512_set1_epi32(0x8000);
    const __m512i odd_sign = _mm512_set1_epi32(static_cast<int>(0x80000000U));
    for (int64_t p = 0; p < places; p += kLanes) {
        for (int64_t block = 0; block < 2 * steps; ++block) {
            const uint32_t *probes = words + block * stride + p / 32 * kLanes;
            const auto shift = static_cast<unsigned>(p % 32);
            for (int64_t j = 0; j < kLanes; j += 2) {
                const auto even = static_cast<__mmask16>(probes[j] >> shift);
                const auto odd = static_cast<__mmask16>(probes[j + 1] >> shift);
                const __m512i value = _mm512_mask_or_epi32(ones, even, ones, even_sign);
                _mm512_storeu_si512(tiles, _mm512_mask_or_epi32(value, odd, value, odd_sign));
                tiles += kLanes;
            }
        }
    }
}

void pair_rows(const float *in, int64_t stride, int64_t rows, int64_t places, int64_t next,
               uint32_t *tiles)
{
    for (int64_t row = 0; row < kDepth; row += 2, tiles += kLanes) {
        const float *even = in + row * stride;
        const float *odd = even + stride;
        const int64_t even_length = row < rows ? places : 0;
        const int64_t odd_length = row + 1 < rows ? places : 0;
        uint32_t *to = tiles;
        for (int64_t p = 0; p < places; p += kLanes, to += next) {
            fetch(even + p + places);
            fetch(odd + p + places);
            split_pair(load_first(even + p, even_length - p), load_first(odd + p, odd_length - p),
                       to);
        }
    }
}

void multiply_signs(const Product &product) { multiply<false>(product); }

void multiply_numbers(const Product &product) { multiply<true>(product); }

} // namespace xconv::cpu::signs
