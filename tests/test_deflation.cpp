// Mean deflation given its probes: dw must be the oracle's filter gradient of the
// means and of what zero-mean probes make of the rest, for every geometry, order
// and type, entry by entry. A border forgotten in the mean's part shows here
// without statistics.
//
// Tolerance, as in test_estimator.cpp, with the sums over a channel's N places and
// over K boxes of dy on top; the magnitude takes every term absolute.
#include <algorithm>
#include <cmath>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"

using estimator::SketchMatrix;
using oracle::Conv;
using oracle::product;
using oracle::Tensor;
using support::Layer;
using support::Random;
using support::require_close;
using support::Scheme;
using support::to;

namespace {

double roundings(const Conv &conv, int64_t r)
{
    const int64_t sample = conv.in_channels * product(conv.in);
    const int64_t places = product(conv.out());
    return static_cast<double>(2 * sample + 2 * conv.batch + 2 * r + conv.in_channels +
                               (std::max(r, conv.batch) + 1) * places + 16);
}

template <class T> void check_given_probes(const Conv &conv, Scheme scheme, uint64_t seed)
{
    INFO(conv.describe() << ", " << scheme.describe() << ", seed " << seed);
    Random random(seed);
    Tensor x = random.values(conv.x_count());
    const Tensor dy = random.values(conv.y_count());
    std::for_each(x.begin(), x.end(), [](double &value) { value += 2; });
    scheme.deflate_mean = false;
    const SketchMatrix sketch = SketchMatrix::read<T>(conv, scheme, seed);
    scheme.deflate_mean = true;
    const Tensor expected = backward_filter(conv, sketch.reconstruct_deflated(x), dy);
    const Tensor magnitude =
        backward_filter(conv, sketch.reconstruct_deflated_absolute(x), support::absolute(dy));
    for (const auto order : {XCONV_DY_FIRST, XCONV_X_FIRST}) {
        for (const int64_t limit : {0, 1, 3000}) {
            INFO("contraction " << order << ", workspace limit " << limit);
            Layer<T> layer(1, conv, scheme, {order, limit});
            require_close(layer.estimate(to<T>(x), to<T>(dy), seed), expected, magnitude,
                          roundings(conv, scheme.probes));
        }
    }
}

} // namespace

TEMPLATE_TEST_CASE("deflated estimates meet the oracle given their probes", "[deflation]", float,
                   double)
{
    Random random(71);
    for (int i = 0; i < 150; ++i) {
        check_given_probes<TestType>(cases::draw_conv(random), estimator::draw_scheme(random),
                                     static_cast<uint64_t>(i));
    }
    for (const Conv &conv : cases::special_convs()) {
        check_given_probes<TestType>(conv, estimator::draw_scheme(random), 7);
    }
}

TEST_CASE("channels without variation have exact gradients", "[deflation]")
{
    Random random(72);
    for (int i = 0; i < 100; ++i) {
        const Conv conv = cases::draw_conv(random);
        const int64_t points = product(conv.in);
        const Tensor constants = random.values(conv.x_count() / points);
        Tensor x;
        for (const double constant : constants) {
            x.insert(x.end(), static_cast<size_t>(points), constant);
        }
        const Tensor dy = random.values(conv.y_count());
        Scheme scheme = estimator::draw_scheme(random);
        scheme.deflate_mean = true;
        INFO(conv.describe() << ", " << scheme.describe());
        const Tensor magnitude = backward_filter(conv, support::absolute(x), support::absolute(dy));
        // The probes' part must vanish against x itself, whatever their number.
        Tensor largest(magnitude.size(), 0.0);
        const double all = static_cast<double>(conv.x_count()) *
                           *std::max_element(magnitude.begin(), magnitude.end());
        std::fill(largest.begin(), largest.end(), all + 1);
        require_close(Layer<double>(1, conv, scheme).estimate(x, dy, 5),
                      backward_filter(conv, x, dy), largest, roundings(conv, scheme.probes));
    }
}

TEST_CASE("means alone are exact in chunks of samples, whatever adds up dy", "[deflation]")
{
    // Images of several strips, and blocks of channels enough that each thread of a
    // sign filter has some of its own for two samples, but not for one.
    Random random(74);
    for (const int64_t batch : {3, 4}) {
        Conv conv = cases::conv2d(batch, 1, 128, 32, 3, 1);
        conv.in[1] = 64;
        Tensor x;
        for (int64_t b = 0; b < batch; ++b) {
            x.insert(x.end(), 64 * 32, static_cast<double>(random.integer(-3, 3)));
        }
        const Tensor dy = random.small_integers(conv.y_count());
        const auto expected = to<float>(backward_filter(conv, x, dy));
        const Scheme scheme{XCONV_INDEPENDENT, XCONV_RADEMACHER, 16, true};
        for (const int64_t limit : {0, 1300000}) {
            for (const int threads : {1, 2}) {
                INFO("batch " << batch << ", limit " << limit << ", " << threads << " threads");
                Layer<float> layer(threads, conv, scheme, {XCONV_DY_FIRST, limit});
                REQUIRE(layer.estimate(to<float>(x), to<float>(dy), 5) == expected);
            }
        }
    }
}

TEST_CASE("deflation takes out the noise of a mean", "[deflation]")
{
    // x = 10 + noise: without deflation the constant is what the estimate errs by.
    const Conv conv = cases::conv2d(8, 3, 4, 12, 3, 1);
    Random random(73);
    Tensor x = random.values(conv.x_count());
    std::for_each(x.begin(), x.end(), [](double &value) { value += 10; });
    const Tensor dy = random.values(conv.y_count());
    const Tensor dw = backward_filter(conv, x, dy);
    for (const xconv_projection projection : estimator::projections) {
        double error[2] = {0, 0};
        for (const bool mean : {false, true}) {
            Layer<double> layer(1, conv, {projection, XCONV_RADEMACHER, 12, mean});
            for (uint64_t seed = 0; seed < 16; ++seed) {
                const Tensor estimate = layer.estimate(x, dy, seed);
                for (size_t i = 0; i < dw.size(); ++i) {
                    error[mean ? 1 : 0] += (estimate[i] - dw[i]) * (estimate[i] - dw[i]);
                }
            }
        }
        // The energy of x falls by a factor of about 300, and the noise with it.
        CHECK(error[1] < error[0] / 100);
    }
}
