#include "cpu/bias.hpp"

#include <algorithm>
#include <array>

#include "checked.hpp"
#include "cpu/parallel.hpp"

namespace xconv::cpu {

namespace {

constexpr int64_t kBlock = 16; // channels summed together, contiguous in a sample
constexpr int64_t kTasks = 64; // at most, blocks times shares of the batch

using BlockSums = std::array<double, kBlock>;

// Eight running sums let the compiler use vectors without reordering anything.
template <class T> double sum(const T *values, int64_t count)
{
    std::array<double, 8> lanes{};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (std::size_t lane = 0; lane < 8; ++lane) {
            lanes[lane] += static_cast<double>(values[i + static_cast<int64_t>(lane)]);
        }
    }
    double total = 0;
    for (; i < count; ++i) {
        total += static_cast<double>(values[i]);
    }
    for (const double lane : lanes) {
        total += lane;
    }
    return total;
}

template <class T>
void add_samples(const ConvGeometry &g, const T *dy, int64_t channel, int64_t channels,
                 int64_t first, int64_t last, BlockSums &sums)
{
    const int64_t points = g.out_points();
    for (int64_t sample = first; sample < last; ++sample) {
        const T *values = dy + sample * g.y_sample() + channel * points;
        for (int64_t c = 0; c < channels; ++c) {
            sums[static_cast<std::size_t>(c)] += sum(values + c * points, points);
        }
    }
}

} // namespace

void backward_bias(const ConvGeometry &g, const void *dy, double beta, void *db, int threads)
{
    // Few channels leave threads idle, so the batch is shared out too. The
    // number of shares depends on the geometry alone, and so does the result.
    const int64_t blocks = ceil_div(g.out_channels, kBlock);
    const int64_t shares = std::clamp<int64_t>(kTasks / blocks, 1, g.batch);
    with_type(g.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto *in = static_cast<const T *>(dy);
        auto *out = static_cast<T *>(db);
        const auto store = [&](int64_t block, const BlockSums &sums) {
            const int64_t first = block * kBlock;
            const int64_t last = std::min(first + kBlock, g.out_channels);
            for (int64_t c = first; c < last; ++c) {
                const double total = sums[static_cast<std::size_t>(c - first)];
                out[c] =
                    static_cast<T>(beta == 0 ? total : total + beta * static_cast<double>(out[c]));
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
