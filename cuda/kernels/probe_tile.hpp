// Entries of z in a block's hands. probe_entry.hpp defines them; here they are made
// four rows at a time: by Philox for normal and uniform entries, and for signs from
// words that Philox left in shared memory, since a block of it lasts for 128 rows.
#pragma once

#include "cuda/kernels/vectors.hpp"
#include "probe_entry.hpp"

#if defined(__CUDACC__)
#include <curand_kernel.h>
#endif

namespace xconv::cuda {

/// philox_block(), on the device by cuRAND's generator, whose stream it is.
XCONV_DEVICE inline PhiloxBlock draw_block(uint64_t seed, int64_t index, int64_t subsequence)
{
#if defined(__CUDACC__)
    curandStatePhilox4_32_10_t state;
    curand_init(seed, static_cast<unsigned long long>(subsequence),
                4 * static_cast<unsigned long long>(index), &state);
    const uint4 words = curand4(&state);
    return {{words.x, words.y, words.z, words.w}};
#else
    return philox_block(seed, static_cast<uint64_t>(index), static_cast<uint64_t>(subsequence));
#endif
}

/// The bits of the signs of Rows x Columns entries, whole Philox blocks from a multiple of
/// kSignsPerBlock on.
template <int Rows, int Columns> struct SignWords {
    static_assert(Rows % kSignsPerBlock == 0);
    static constexpr int kWords = Rows / 32;
    uint32_t word[Columns][kWords + 1]; // columns start in different banks

    /// A thread's share: rows from `row`, columns from `column`.
    XCONV_DEVICE void fill(int thread, int threads, uint64_t seed, int64_t row, int64_t column)
    {
        constexpr int per_column = Rows / kSignsPerBlock;
        for (int unit = thread; unit < Columns * per_column; unit += threads) {
            const int j = unit / per_column;
            const int part = unit % per_column;
            const PhiloxBlock block = draw_block(seed, row / kSignsPerBlock + part, column + j);
            XCONV_UNROLL
            for (int i = 0; i < 4; ++i) {
                word[j][part * 4 + i] = block.word[i];
            }
        }
    }
    /// Entries of rows row .. row + 3; row is a multiple of 4.
    template <class T> XCONV_DEVICE Vector<T, 4> four(int row, int column) const
    {
        const uint32_t bits = word[column][row / 32] >> (row % 32);
        Vector<T, 4> out;
        XCONV_UNROLL
        for (int i = 0; i < 4; ++i) {
            out.at[i] = (bits >> i & 1U) != 0 ? T(-1) : T(1);
        }
        return out;
    }
};

/// Rows row .. row + 3 of a column, for distributions of one word to an entry.
template <class T>
XCONV_DEVICE inline Vector<T, 4> draw_four(const Probes &probes, int64_t row, int64_t column)
{
    const PhiloxBlock block = draw_block(probes.seed, row / 4, column);
    Vector<T, 4> out;
    if (probes.distribution == Distribution::uniform) {
        XCONV_UNROLL
        for (int i = 0; i < 4; ++i) {
            out.at[i] = uniform_value<T>(block.word[i]);
        }
    }
    else {
        gaussian_pair(block.word[0], block.word[1], out.at[0], out.at[1]);
        gaussian_pair(block.word[2], block.word[3], out.at[2], out.at[3]);
    }
    return out;
}

/// A tile of z that threads read four rows at a time.
template <class T, bool Signs, int Rows, int Columns> struct ProbeTile {
    SignWords<Rows, Columns> signs;
    XCONV_DEVICE void prepare(int thread, int threads, const Probes &probes, int64_t row,
                              int64_t column)
    {
        signs.fill(thread, threads, probes.seed, row, column);
    }
    XCONV_DEVICE Vector<T, 4> four(const Probes &, int64_t /*row*/, int64_t /*column*/, int place,
                                   int j) const
    {
        return signs.template four<T>(place, j);
    }
};
template <class T, int Rows, int Columns> struct ProbeTile<T, false, Rows, Columns> {
    XCONV_DEVICE void prepare(int, int, const Probes &, int64_t, int64_t) {}
    XCONV_DEVICE Vector<T, 4> four(const Probes &probes, int64_t row, int64_t column, int place,
                                   int j) const
    {
        return draw_four<T>(probes, row + place, column + j);
    }
};

/// Call f with std::bool_constant: whether z is made of signs.
template <class F> void with_signs(Distribution distribution, F &&f)
{
    if (distribution == Distribution::rademacher) {
        f(std::true_type{});
    }
    else {
        f(std::false_type{});
    }
}

} // namespace xconv::cuda
