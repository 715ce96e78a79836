// Signs counted where they are drawn, for the means of probes. Compiled once for each
// instruction set like simd_kernels.cpp.
#include <algorithm>
#include <bit>
#include <cstdint>

#include "cpu/simd.hpp"
#include "probe_entry.hpp"

namespace xconv::cpu::XCONV_SIMD {

/// words [4 * kUnitBlocks] of neighbouring blocks (simd_packing.cpp).
void draw_unit(uint64_t seed, uint64_t subsequence, uint64_t first, uint32_t *words);

namespace {

constexpr int64_t kWord = 64; // bits
constexpr int64_t kUnit = kUnitBlocks * kSignsPerBlock;

/// Set bits among bits [from, to) of `words`.
inline int64_t count_bits(const uint64_t *words, int64_t from, int64_t to)
{
    int64_t count = 0;
    for (int64_t word = from / kWord; word * kWord < to; ++word) {
        uint64_t bits = words[word];
        if (word * kWord < from) {
            bits &= ~uint64_t{0} << (from - word * kWord);
        }
        if (to - word * kWord < kWord) {
            bits &= (uint64_t{1} << (to - word * kWord)) - 1;
        }
        count += std::popcount(bits);
    }
    return count;
}

} // namespace

void count_signs(const Probes &probes, int64_t runs, int64_t length, int64_t *minus);
void count_signs(const Probes &probes, int64_t runs, int64_t length, int64_t *minus)
{
    const int64_t last = probes.row + runs * length;
    std::fill_n(minus, runs, 0);
    int64_t run = 0;
    for (int64_t begin = probes.row / kSignsPerBlock * kSignsPerBlock; begin < last;
         begin += kUnit) {
        uint64_t words[kUnit / kWord];
        uint32_t halves[kUnit / 32];
        draw_unit(probes.seed, static_cast<uint64_t>(probes.column),
                  static_cast<uint64_t>(begin / kSignsPerBlock), halves);
        for (int64_t i = 0; i < kUnit / kWord; ++i) {
            words[i] = halves[2 * i] | static_cast<uint64_t>(halves[2 * i + 1]) << 32;
        }
        const int64_t end = std::min(begin + kUnit, last);
        for (int64_t at = std::max(begin, probes.row); at < end;) {
            const int64_t run_end = probes.row + (run + 1) * length;
            const int64_t to = std::min(run_end, end);
            minus[run] += count_bits(words, at - begin, to - begin);
            run += to == run_end ? 1 : 0;
            at = to;
        }
    }
}

} // namespace xconv::cpu::XCONV_SIMD
