#include "cuda/ops_bias.hpp"

#include "cuda/kernels/index.hpp"
#include "cuda/launch.hpp"

namespace xconv::cuda {

namespace {

template <class T> struct SpreadBias {
    int64_t channels, points;
    int64_t channel_stride;
    const T *bias;
    T *y;

    XCONV_DEVICE void operator()(int64_t i) const
    {
        const Quotient plane = divide(i, points);
        const int64_t channel = divide(plane.quotient, channels).remainder;
        y[plane.quotient * channel_stride + plane.remainder] = bias[channel];
    }
};

/// Few channels leave a device idle, so the batch is shared out too: as many shares
/// as the scratch memory has room for, whatever the device, so that the order of
/// the sums depends on the geometry alone.
int64_t shares_of(const ConvGeometry &g)
{
    const int64_t room = kBiasScratch / static_cast<int64_t>(sizeof(double)) / g.out_channels;
    return std::clamp<int64_t>(room, 1, g.batch);
}

/// Block (channel, share) sums one channel over a share of the batch.
template <class T> struct SumShare {
    static constexpr int threads = 256;
    struct Shared {
        double sums[threads];
    };
    const T *dy;
    int64_t batch, channels, points, channel_stride, shares;
    double *sums; // [channel][share]

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const Quotient at = divide(team.block().x, shares);
        const int64_t channel = at.quotient;
        const int64_t first = batch * at.remainder / shares;
        const int64_t count = (batch * (at.remainder + 1) / shares - first) * points;
        team.each([&](int thread) {
            double sum = 0;
            for (int64_t i = thread; i < count; i += threads) {
                const Quotient sample = divide(i, points);
                const int64_t plane = (first + sample.quotient) * channels + channel;
                sum += static_cast<double>(dy[plane * channel_stride + sample.remainder]);
            }
            shared.sums[thread] = sum;
        });
        for (int half = threads / 2; half > 0; half /= 2) {
            team.each([&](int thread) {
                if (thread < half) {
                    shared.sums[thread] += shared.sums[thread + half];
                }
            });
        }
        team.each([&](int thread) {
            if (thread == 0) {
                sums[team.block().x] = shared.sums[0];
            }
        });
    }
};

template <class To> struct FinishBias {
    const double *sums;
    int64_t shares;
    double beta;
    To *db;

    XCONV_DEVICE void operator()(int64_t channel) const
    {
        double sum = 0;
        for (int64_t share = 0; share < shares; ++share) {
            sum += sums[channel * shares + share];
        }
        using Number = ComputeType<To>;
        db[channel] = To(
            static_cast<Number>(beta == 0 ? sum : sum + beta * static_cast<double>(db[channel])));
    }
};

} // namespace

void spread_bias(Stream stream, const ConvGeometry &g, const void *bias, void *y)
{
    with_tensor_type(g.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        launch_elements(SpreadBias<T>{g.out_channels, g.out_points(), g.y_channel,
                                      static_cast<const T *>(bias), static_cast<T *>(y)},
                        g.batch * g.out_channels * g.out_points(), stream);
    });
}

void backward_bias(Stream stream, const ConvGeometry &g, const void *dy, double beta,
                   Dtype db_dtype, void *db, void *scratch)
{
    // More channels than the scratch memory has room for go in turns.
    const int64_t shares = shares_of(g);
    const int64_t most = kBiasScratch / static_cast<int64_t>(sizeof(double)) / shares;
    auto *sums = static_cast<double *>(scratch);
    for (int64_t first = 0; first < g.out_channels; first += most) {
        const int64_t channels = std::min(most, g.out_channels - first);
        with_tensor_type(g.dtype, [&](auto tag) {
            using T = typename decltype(tag)::type;
            launch(SumShare<T>{static_cast<const T *>(dy) + first * g.y_channel, g.batch,
                               g.out_channels, g.out_points(), g.y_channel, shares, sums},
                   {channels * shares}, stream);
        });
        with_tensor_type(db_dtype, [&](auto tag) {
            using To = typename decltype(tag)::type;
            launch_elements(FinishBias<To>{sums, shares, beta, static_cast<To *>(db) + first},
                            channels, stream);
        });
    }
}

} // namespace xconv::cuda
