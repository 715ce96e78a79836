// Products with the signs of Rademacher probes on processors that multiply
// bfloat16 matrices (AMX) many times faster than Float32.
//
// Signs are exact in bfloat16, and a Float32 is exactly the sum of three
// bfloat16: its 24 significant bits, 8 at a time. Three products with sums in
// Float32 are therefore as good as one in Float32. Only numbers below about
// 1e-33 lose places, since these units take what is subnormal for zero.
//
// A matrix unit multiplies a tile of 16 rows and 32 columns by one of 32 rows and
// 16 columns, whose neighbouring rows lie in pairs. One side of each product is
// "split" (three tiles of pieces), the other "paired".
#pragma once

#include <cstdint>

namespace xconv::cpu::signs {

inline constexpr int64_t kLanes = 16; // rows of a split tile, columns of a paired one
inline constexpr int64_t kDepth = 32; // columns of a split tile, rows of a paired one
inline constexpr int64_t kPieces = 3;
/// uint16_t of a split tile, [piece][row][column].
inline constexpr int64_t kSplitTile = kPieces * kLanes * kDepth;
/// uint32_t of a paired tile, [pair][lane], or of each of its pieces.
inline constexpr int64_t kPairedTile = kDepth / 2 * kLanes;
/// float of a tile of sums, [row][lane].
inline constexpr int64_t kSumTile = kLanes * kLanes;

#if XCONV_WITH_AMX
inline constexpr bool kCompiled = true;
/// Whether processor and system have the units. Asks the system for them, once.
bool available();
#else
/// Nothing that works on the units is part of the library: callers ask with if constexpr.
inline constexpr bool kCompiled = false;
constexpr bool available() { return false; }
#endif

/// The calling thread's units, for products of so many rows (at most kLanes
/// matter); all products happen while one of these lives.
class Units {
  public:
    explicit Units(int64_t rows);
    ~Units();
    Units(const Units &) = delete;
    Units &operator=(const Units &) = delete;
};

/// Rows <= kLanes of columns, into ceil(columns / kDepth) tiles, with zeros behind the
/// columns. Rows of a tile beyond are left as they are: they enter no other's sums. What
/// will be read next lies `ahead` numbers further on.
void split(const float *in, int64_t stride, int64_t rows, int64_t columns, int64_t ahead,
           uint16_t *tiles);
/// And sums[row] of each of kLanes rows; of those beyond, anything.
void split_and_sum(const float *in, int64_t stride, int64_t rows, int64_t columns, int64_t ahead,
                   uint16_t *tiles, float *sums);

/// Signs at neighbouring places: pairs[p][lane] holds bfloat16 of (place p, place
/// p + 1), place p from bit first + p of words[...][lane]. The last is paired with
/// 0, and the first with the place that pairs[-1] begins with. One more is written.
void pair_places(const uint32_t *words, int64_t first, int64_t places, uint32_t *pairs);
/// The same as `count` paired tiles of kDepth places each.
void pair_words(const uint32_t *words, int64_t count, uint32_t *tiles);

/// Signs of neighbouring probes: words of kLanes probes each, `stride` apart; tile
/// [p / kLanes][j / kDepth] of `steps` holds the pairs of probes (2 q, 2 q + 1) at
/// places p, for `places` rounded up to kLanes.
void pair_probes(const uint32_t *words, int64_t stride, int64_t steps, int64_t places,
                 uint32_t *tiles);

/// Numbers of neighbouring rows, of at most kDepth: the tile of kPieces at p / kLanes *
/// `next` holds the pairs of rows (2 q, 2 q + 1) at places p; zeros around.
void pair_rows(const float *in, int64_t stride, int64_t rows, int64_t places, int64_t next,
               uint32_t *tiles);

/// sums[t] (+)= sum over steps of split * paired[t], for `count` tiles of sums.
struct Product {
    const uint16_t *split; // tile of the first step
    int64_t split_step;    // from one step to the next
    const uint32_t *const *paired;
    int64_t paired_row; // from one pair to the next
    int64_t paired_step;
    int64_t steps;
    // Every `run` steps the paired side skips `gap` more; a run is a whole number of
    // steps or the end.
    int64_t run;
    int64_t gap;
    int64_t count;
    float *sums;
    int64_t sums_row;  // from one row to the next
    int64_t sums_tile; // from one tile to the next
    bool accumulate;
};
/// Where the paired side is signs.
void multiply_signs(const Product &product);
/// Where it has pieces too: to within the rounding of Float32, and exactly where
/// Float32 is exact.
void multiply_numbers(const Product &product);

} // namespace xconv::cpu::signs
