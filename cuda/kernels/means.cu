// channel_means reads x once; probe_means counts signs, or adds up entries of z.
#include "cuda/kernels/runs.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_means.hpp"

namespace xconv::cuda {

namespace {

/// One channel for each `lanes` threads.
template <class X> struct MeansOfChannels {
    using T = ComputeType<X>;
    static constexpr int threads = 256;
    struct Shared {
        T part[threads];
    };
    const X *x;
    int64_t rows;
    int64_t per_row; // channels
    int64_t length;  // of a channel
    int64_t stride;
    T *means;
    int64_t means_stride;
    int lanes; // a power of two
    bool vectors;

    XCONV_DEVICE T sum(const X *row, int lane) const
    {
        Vector<T, 4> sums{};
        for (int64_t p = 4 * lane; p < length; p += 4 * lanes) {
            const Vector<T, 4> values = load<4>(row, p, length, vectors);
            XCONV_UNROLL
            for (int i = 0; i < 4; ++i) {
                sums.at[i] += values.at[i];
            }
        }
        return (sums.at[0] + sums.at[1]) + (sums.at[2] + sums.at[3]);
    }

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const int64_t first = team.block().x * (threads / lanes);
        const int64_t channels = rows * per_row;
        team.each([&](int thread) {
            const int64_t i = first + thread / lanes;
            shared.part[thread] =
                i < channels ? sum(x + i / per_row * stride + i % per_row * length, thread % lanes)
                             : T(0);
        });
        for (int half = lanes / 2; half > 0; half /= 2) {
            team.each([&](int thread) {
                if (thread % lanes < half) {
                    shared.part[thread] += shared.part[thread + half];
                }
            });
        }
        team.each([&](int thread) {
            const int64_t i = first + thread / lanes;
            if (thread % lanes == 0 && i < channels) {
                means[i / per_row * means_stride + i % per_row] = static_cast<T>(
                    static_cast<double>(shared.part[thread]) / static_cast<double>(length));
            }
        });
    }
};

XCONV_DEVICE inline int ones_in(uint32_t word)
{
#if defined(__CUDACC__)
    return __popc(word);
#else
    return __builtin_popcount(word);
#endif
}

/// The sum of a column of z over rows [begin, end), shared out to `lanes` threads.
template <class T, bool Signs>
XCONV_DEVICE double sum_of_probe(const Probes &probes, int64_t column, int64_t begin, int64_t end,
                                 int lane, int lanes)
{
    constexpr int per_block = Signs ? kSignsPerBlock : 4;
    double sum = 0;
    for (int64_t block = begin / per_block + lane; block * per_block < end; block += lanes) {
        if constexpr (Signs) {
            const PhiloxBlock bits = draw_block(probes.seed, block, column);
            int64_t row = block * per_block;
            for (int i = 0; i < 4; ++i, row += 32) {
                const int64_t from = begin > row ? begin - row : 0;
                const int64_t to = end < row + 32 ? end - row : 32;
                if (from < to) {
                    const uint32_t mask = ~0U >> (32 - (to - from)) << from;
                    sum += static_cast<double>((to - from) - 2 * ones_in(bits.word[i] & mask));
                }
            }
        }
        else {
            const Vector<T, 4> z = draw_four<T>(probes, block * per_block, column);
            for (int i = 0; i < 4; ++i) {
                const int64_t row = block * per_block + i;
                sum += row >= begin && row < end ? static_cast<double>(z.at[i]) : 0.0;
            }
        }
    }
    return sum;
}

template <class T, bool Signs> struct ProbeMeans {
    static constexpr int kLanes = 16;
    static constexpr int kColumns = 16;
    static constexpr int threads = kLanes * kColumns;
    struct Shared {
        double part[kLanes][kColumns];
    };
    Probes probes;
    Runs runs;
    T *means;
    int64_t columns;
    int64_t stride;

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const int64_t run = team.block().x % runs.count;
        const int64_t column = team.block().x / runs.count * kColumns;
        const int64_t begin = probes.row + run * runs.stride;
        team.each([&](int thread) {
            const int lane = thread / kColumns;
            const int j = thread % kColumns;
            shared.part[lane][j] = sum_of_probe<T, Signs>(probes, probes.column + column + j, begin,
                                                          begin + runs.length, lane, kLanes);
        });
        team.each([&](int thread) {
            if (thread < kColumns && column + thread < columns) {
                double sum = 0;
                for (int lane = 0; lane < kLanes; ++lane) {
                    sum += shared.part[lane][thread];
                }
                means[run * stride + column + thread] =
                    static_cast<T>(sum / static_cast<double>(runs.length));
            }
        });
    }
};

} // namespace

void channel_means(Stream stream, Dtype dtype, ConstMatrix x, const ChannelMeans &wanted)
{
    with_tensor_type(dtype, [&](auto tag) {
        using X = typename decltype(tag)::type;
        using Kernel = MeansOfChannels<X>;
        constexpr int64_t long_channel = 8192;
        const int lanes = wanted.channel < long_channel ? 32 : Kernel::threads;
        const Matrix &means = wanted.means;
        launch(Kernel{static_cast<const X *>(x.data), x.rows, means.cols, wanted.channel, x.stride,
                      static_cast<typename Kernel::T *>(means.data), means.stride, lanes,
                      in_vectors<X>(x.data, 0, x.stride, 4) && wanted.channel % 4 == 0},
               {ceil_div(checked_mul(x.rows, means.cols, "means"), Kernel::threads / lanes)},
               stream);
    });
}

void probe_means(Stream stream, Dtype compute, const Probes &probes, Runs rows, Matrix means)
{
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        with_signs(probes.distribution, [&](auto signs) {
            using Kernel = ProbeMeans<T, decltype(signs)::value>;
            launch(Kernel{probes, rows, static_cast<T *>(means.data), means.cols, means.stride},
                   {checked_mul(rows.count, ceil_div(means.cols, Kernel::kColumns), "probes")},
                   stream);
        });
    });
}

} // namespace xconv::cuda
