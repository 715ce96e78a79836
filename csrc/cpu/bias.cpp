#include "cpu/bias.hpp"

#include <algorithm>
#include <array>

#include "checked.hpp"
#include "cpu/parallel.hpp"
#include "cpu/sum.hpp"

namespace xconv::cpu {

namespace {

constexpr int64_t kBlock = 16; // channels summed together, contiguous in a sample
constexpr int64_t kTasks = 64; // at most, blocks times shares of the batch

using BlockSums = std::array<double, kBlock>;

template <class T>
void add_samples(const ConvGeometry &g, const T *dy, int64_t channel, int64_t channels,
                 int64_t first, int64_t last, BlockSums &sums)
{
    const int64_t points = g.out_points();
    for (int64_t sample = first; sample < last; ++sample) {
        const T *values = dy + sample * g.y_sample() + channel * points;
        for (int64_t c = 0; c < channels; ++c) {
            sums[static_cast<std::size_t>(c)] += sum_of(values + c * points, points);
        }
    }
}

/// db[c] = total + beta * db[c].
void store_sum(Dtype dtype, double total, double beta, int64_t c, void *db)
{
    with_tensor_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        T &out = static_cast<T *>(db)[c];
        const double sum = beta == 0 ? total : total + beta * static_cast<double>(out);
        out = static_cast<T>(static_cast<ComputeType<T>>(sum));
    });
}

} // namespace

void backward_bias(const ConvGeometry &g, const void *dy, double beta, Dtype db_dtype, void *db,
                   int threads)
{
    // Few channels leave threads idle, so the batch is shared out too. The
    // number of shares depends on the geometry alone, and so does the result.
    const int64_t blocks = ceil_div(g.out_channels, kBlock);
    const int64_t shares = std::clamp<int64_t>(kTasks / blocks, 1, g.batch);
    with_tensor_type(g.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto *in = static_cast<const T *>(dy);
        const auto store = [&](int64_t block, const BlockSums &sums) {
            const int64_t first = block * kBlock;
            const int64_t last = std::min(first + kBlock, g.out_channels);
            for (int64_t c = first; c < last; ++c) {
                store_sum(db_dtype, sums[static_cast<std::size_t>(c - first)], beta, c, db);
            }
        };
        const auto block_sums = [&](int64_t block, int64_t share) {
            BlockSums sums{};
            add_samples(g, in, block * kBlock, std::min(kBlock, g.out_channels - block * kBlock),
                        g.batch * share / shares, g.batch * (share + 1) / shares, sums);
            return sums;
        };
        if (shares == 1) {
            parallel_for(threads, blocks,
                         [&](int64_t block) { store(block, block_sums(block, 0)); });
            return;
        }
        std::array<BlockSums, kTasks> partial;
        parallel_for(threads, blocks * shares, [&](int64_t task) {
            partial[static_cast<std::size_t>(task)] = block_sums(task / shares, task % shares);
        });
        for (int64_t block = 0; block < blocks; ++block) {
            BlockSums sums{};
            for (int64_t share = 0; share < shares; ++share) {
                const auto &part = partial[static_cast<std::size_t>(block * shares + share)];
                std::transform(sums.begin(), sums.end(), part.begin(), sums.begin(), std::plus<>());
            }
            store(block, sums);
        }
    });
}

} // namespace xconv::cpu
