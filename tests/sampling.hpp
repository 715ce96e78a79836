// Data whose filter gradient is large against the noise of its estimates, and
// loops over seeds, common to the statistical tests.
#pragma once

#include <cstdint>

#include "oracle.hpp"
#include "support.hpp"

namespace sampling {

/// x is noise and dy its convolution plus noise, so that x and dy are correlated,
/// as they are in training, and dw is far from 0. One tap of every output channel
/// outweighs the others: this keeps the noise of <estimate, dw> small, and with
/// it the scale errors that can be seen.
struct Data {
    Data(const oracle::Conv &conv, uint64_t seed)
    {
        support::Random random(seed);
        x = random.values(conv.x_count());
        oracle::Tensor w = random.values(conv.w_count());
        const int64_t taps = conv.w_count() / conv.out_channels;
        for (int64_t i = 0; i < conv.w_count(); ++i) {
            const bool heavy = i % taps == (taps / 2 + i / taps) % taps;
            w[static_cast<size_t>(i)] = heavy ? 1 : 0.25 * w[static_cast<size_t>(i)];
        }
        dy = forward(conv, x, w);
        for (double &value : dy) {
            value += 0.25 * random.value();
        }
        dw = backward_filter(conv, x, dy);
    }
    oracle::Tensor x;
    oracle::Tensor dy;
    oracle::Tensor dw;
};

/// visit(estimate) for `count` seeds, starting behind first_seed.
template <class Visit>
void each_estimate(support::Layer<double> &layer, const Data &data, uint64_t first_seed,
                   int64_t count, const Visit &visit)
{
    for (int64_t i = 1; i <= count; ++i) {
        visit(layer.estimate(data.x, data.dy, first_seed + static_cast<uint64_t>(i)));
    }
}

/// |estimate - dw|^2.
inline double squared_error(const oracle::Tensor &estimate, const oracle::Tensor &dw)
{
    double sum = 0;
    for (size_t i = 0; i < dw.size(); ++i) {
        sum += (estimate[i] - dw[i]) * (estimate[i] - dw[i]);
    }
    return sum;
}

} // namespace sampling
