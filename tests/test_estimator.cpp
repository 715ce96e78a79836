// The estimate given its probes: the library's z is read back through the
// sketch of unit vectors, and dw must be the oracle's filter gradient of
// Sᵀ S x. No statistics: every geometry, order and type is checked entry by entry.
//
// Tolerance, as in test_passes.cpp: the estimate is a product of sums, and a
// relative error of n u for each sum of n positive terms adds up along the way.
//   sketch: Ci N terms, then
//   dy first: B terms for L, r M for the gradient on probes
//   x first:  r terms for x-hat, B M for its gradient
// The magnitude is the same computation on absolute values.
#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"

using estimator::SketchMatrix;
using oracle::Conv;
using oracle::product;
using oracle::Tensor;
using support::BF16;
using support::F16;
using support::Layer;
using support::Random;
using support::require_close;
using support::rounded;
using support::Scheme;
using support::to;

namespace {

double roundings(const Conv &conv, const Scheme &scheme)
{
    const int64_t sample = conv.in_channels * product(conv.in);
    const int64_t places = product(conv.out());
    const int64_t r = scheme.probes;
    return static_cast<double>(sample + conv.batch + r + std::max(r, conv.batch) * places + 8);
}

template <class T> void check_given_probes(const Conv &conv, const Scheme &scheme, uint64_t seed)
{
    INFO(conv.describe() << ", " << scheme.describe() << ", seed " << seed);
    Random random(seed);
    const Tensor x = rounded<T>(random.values(conv.x_count()));
    const Tensor dy = rounded<T>(random.values(conv.y_count()));
    const Tensor before = rounded<T>(random.values(conv.w_count()));
    const SketchMatrix sketch = SketchMatrix::read<T>(conv, scheme, seed);
    const Tensor expected = backward_filter(conv, sketch.reconstruct(x), dy);
    const Tensor magnitude =
        backward_filter(conv, sketch.reconstruct_absolute(x), support::absolute(dy));
    const double factor = roundings(conv, scheme);
    for (const auto order : {XCONV_DY_FIRST, XCONV_X_FIRST}) {
        INFO("contraction " << order);
        Layer<T> layer(1, conv, scheme, {order, 0});
        REQUIRE(layer.plan().query(XCONV_QUERY_CONTRACTION) == order);
        const support::Bytes kept = layer.sketch(to<T>(x), seed);
        require_close(layer.backward_filter(kept, seed, to<T>(dy)), expected, magnitude, factor);

        std::vector<T> dw = to<T>(before);
        layer.backward_filter(kept, seed, to<T>(dy), -0.5, dw);
        Tensor sum = expected;
        Tensor largest = magnitude;
        for (size_t i = 0; i < sum.size(); ++i) {
            sum[i] -= 0.5 * before[i];
            largest[i] += std::abs(0.5 * before[i]);
        }
        require_close(dw, sum, largest, factor);
    }
}

} // namespace

TEMPLATE_TEST_CASE("estimates meet the oracle given their probes, random geometries", "[estimator]",
                   float, double, F16, BF16)
{
    Random random(14);
    for (uint64_t i = 0; i < 250; ++i) {
        const Conv conv = cases::draw_conv(random);
        check_given_probes<TestType>(conv, estimator::draw_scheme(random), 100 + i);
    }
}

TEMPLATE_TEST_CASE("estimates meet the oracle given their probes, special geometries",
                   "[estimator]", float, double, F16, BF16)
{
    uint64_t seed = 1;
    for (const Conv &conv : cases::special_convs()) {
        for (const xconv_projection projection : estimator::projections) {
            for (const int64_t probes : {1, 3, 40}) {
                check_given_probes<TestType>(conv, {projection, XCONV_RADEMACHER, probes}, seed++);
            }
        }
    }
}

TEST_CASE("probes of a large image are right beyond every tile", "[estimator]")
{
    const Conv conv = cases::conv2d(2, 2, 2, 37, 3, 1);
    for (const xconv_projection projection : estimator::projections) {
        for (const xconv_distribution distribution : estimator::distributions) {
            check_given_probes<double>(conv, {projection, distribution, 11}, 99);
        }
    }
    check_given_probes<float>(conv, {XCONV_DENSE, XCONV_GAUSSIAN, 9}, 98);
}

TEST_CASE("probes reach every channel they should", "[estimator]")
{
    Conv conv = cases::conv2d(1, 6, 1, 3, 1, 0);
    for (const int64_t probes : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13}) {
        const Scheme scheme{XCONV_ORTHOGONAL, XCONV_RADEMACHER, probes};
        INFO(scheme.describe());
        const SketchMatrix sketch = SketchMatrix::read<double>(conv, scheme, 1);
        const size_t rows = sketch.rows().size();
        size_t meetings = 0;
        for (int64_t channel = 0; channel < conv.in_channels; ++channel) {
            size_t met = 0;
            for (size_t row = 0; row < rows; ++row) {
                met += sketch.meets(row, channel) ? 1U : 0U;
            }
            REQUIRE(met == static_cast<size_t>(probes < 6 ? 1 : probes / 6));
            meetings += met;
        }
        // No probe is idle, and none is shared once there are enough of them.
        REQUIRE(meetings == std::max<size_t>(rows, 6));
    }
    for (const auto projection : {XCONV_DENSE, XCONV_INDEPENDENT}) {
        const Scheme scheme{projection, XCONV_RADEMACHER, 5};
        const SketchMatrix sketch = SketchMatrix::read<double>(conv, scheme, 1);
        for (size_t row = 0; row < sketch.rows().size(); ++row) {
            int64_t met = 0;
            for (int64_t channel = 0; channel < conv.in_channels; ++channel) {
                met += sketch.meets(row, channel) ? 1 : 0;
            }
            REQUIRE(met == (projection == XCONV_DENSE ? 6 : 1));
        }
    }
}

TEST_CASE("a single sign squared is 1: estimates of one place are exact", "[estimator]")
{
    Conv conv = cases::conv2d(5, 1, 3, 1, 3, 2);
    Random random(3);
    const Tensor x = random.values(conv.x_count());
    const Tensor dy = random.values(conv.y_count());
    for (const xconv_projection projection : estimator::projections) {
        Layer<double> layer(1, conv, {projection, XCONV_RADEMACHER, 4});
        require_close(layer.estimate(x, dy, 12), backward_filter(conv, x, dy),
                      backward_filter(conv, support::absolute(x), support::absolute(dy)), 100);
    }
    conv.in_channels = 4; // a probe of its own for every channel: still exact
    const Tensor wide = random.values(conv.x_count());
    for (const auto projection : {XCONV_ORTHOGONAL, XCONV_INDEPENDENT}) {
        Layer<double> layer(1, conv, {projection, XCONV_RADEMACHER, 4});
        require_close(layer.estimate(wide, dy, 12), backward_filter(conv, wide, dy),
                      backward_filter(conv, support::absolute(wide), support::absolute(dy)), 100);
    }
}
