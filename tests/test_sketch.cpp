// What a sketch is: its size, and that it depends on x and the seed alone.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"

using oracle::Conv;
using oracle::Tensor;
using support::Bytes;
using support::Layer;
using support::Random;
using support::same_bits;
using support::Scheme;

namespace {

/// All projections with all distributions.
std::vector<Scheme> schemes(int64_t probes)
{
    std::vector<Scheme> list;
    for (const xconv_projection projection : estimator::projections) {
        for (const xconv_distribution distribution : estimator::distributions) {
            list.push_back({projection, distribution, probes});
        }
    }
    return list;
}

/// Numbers whose sums are rounded, and rounded differently in another order.
template <class T> std::vector<T> rough_values(int64_t count, uint64_t seed)
{
    Random random(seed);
    std::vector<T> values(static_cast<size_t>(count));
    std::generate(values.begin(), values.end(), [&] {
        return static_cast<T>(random.value() *
                              std::exp2(static_cast<double>(random.integer(-9, 9))) / 3);
    });
    return values;
}

} // namespace

TEMPLATE_TEST_CASE("a sketch takes the bytes that were promised", "[sketch]", float, double)
{
    constexpr int64_t element = sizeof(TestType);
    const Conv conv = cases::conv2d(5, 6, 2, 7, 3, 1);
    const auto bytes = [&](xconv_projection projection, int64_t probes) {
        return Layer<TestType>(1, conv, {projection, XCONV_RADEMACHER, probes}).sketch_bytes();
    };
    CHECK(bytes(XCONV_IDENTITY, 0) == conv.x_count() * element);
    for (const int64_t r : {1, 2, 5, 6, 7, 12, 13, 100}) {
        CHECK(bytes(XCONV_DENSE, r) == 5 * r * element);
        CHECK(bytes(XCONV_INDEPENDENT, r) == 5 * 6 * r * element);
        CHECK(bytes(XCONV_ORTHOGONAL, r) == 5 * (r < 6 ? r : r / 6 * 6) * element);
    }
}

TEMPLATE_TEST_CASE("identity keeps x itself", "[sketch]", float, double)
{
    const Conv conv = cases::conv2d(2, 3, 2, 5, 3, 1);
    const auto x = rough_values<TestType>(conv.x_count(), 1);
    const Bytes kept = Layer<TestType>(1, conv).sketch(x, 1);
    REQUIRE(std::memcmp(kept.data(), x.data(), kept.size()) == 0);
}

TEMPLATE_TEST_CASE("one seed, one sketch, whatever the threads and chunks", "[sketch]", float,
                   double)
{
    // 2738 numbers a sample and 1369 a channel: no multiple of any vector or tile.
    const Conv conv = cases::conv2d(5, 2, 2, 37, 3, 1);
    const auto x = rough_values<TestType>(conv.x_count(), 2);
    for (const int64_t probes : {1, 8, 19}) {
        for (const Scheme &scheme : schemes(probes)) {
            const Bytes expected = Layer<TestType>(1, conv, scheme).sketch(x, 42);
            for (const int threads : {1, 2, 3, 4}) {
                for (const int64_t limit : {int64_t{1}, int64_t{0}, int64_t{1} << 30}) {
                    INFO(scheme.describe() << ", " << threads << " threads, limit " << limit);
                    Layer<TestType> layer(threads, conv, scheme, {XCONV_CONTRACTION_AUTO, limit});
                    REQUIRE(layer.sketch(x, 42) == expected);
                }
            }
            for (const auto order : {XCONV_DY_FIRST, XCONV_X_FIRST}) {
                Layer<TestType> layer(1, conv, scheme, {order, 0});
                REQUIRE(layer.sketch(x, 42) == expected);
            }
        }
    }
}

TEMPLATE_TEST_CASE("the sketch of a batch is the sketches of its samples", "[sketch]", float,
                   double)
{
    for (const int64_t size : {3, 12, 37}) {
        const Conv conv = cases::conv2d(7, 3, 2, size, 3, 1);
        const auto x = rough_values<TestType>(conv.x_count(), 3);
        for (const Scheme &scheme : schemes(10)) {
            const Bytes whole = Layer<TestType>(2, conv, scheme).sketch(x, 5);
            for (const int64_t part : {1, 2, 3}) {
                Bytes joined;
                for (int64_t b = 0; b < conv.batch; b += part) {
                    Conv piece = conv;
                    piece.batch = std::min(part, conv.batch - b);
                    const auto x0 = x.begin() + b * conv.x_count() / conv.batch;
                    const Bytes kept =
                        Layer<TestType>(1, piece, scheme).sketch({x0, x0 + piece.x_count()}, 5);
                    joined.insert(joined.end(), kept.begin(), kept.end());
                }
                INFO(scheme.describe() << ", image " << size << ", parts of " << part);
                REQUIRE(joined == whole);
            }
        }
    }
}

TEST_CASE("more probes extend a sketch, they do not change it", "[sketch]")
{
    const Conv conv = cases::conv2d(1, 3, 2, 9, 3, 1);
    const auto x = rough_values<float>(conv.x_count(), 4);
    for (const xconv_distribution distribution : estimator::distributions) {
        const Bytes few = Layer<float>(1, conv, {XCONV_DENSE, distribution, 5}).sketch(x, 6);
        const Bytes many = Layer<float>(1, conv, {XCONV_DENSE, distribution, 21}).sketch(x, 6);
        REQUIRE(std::equal(few.begin(), few.end(), many.begin()));
    }
}

TEST_CASE("forward keeps the sketch that sketch() makes", "[sketch]")
{
    Random random(5);
    for (int i = 0; i < 60; ++i) {
        const Conv conv = cases::draw_conv(random);
        const auto x = rough_values<float>(conv.x_count(), 6);
        const auto w = rough_values<float>(conv.w_count(), 7);
        const auto bias = rough_values<float>(conv.out_channels, 8);
        for (const Scheme &scheme : schemes(random.integer(1, 9))) {
            INFO(conv.describe() << ", " << scheme.describe());
            Layer<float> layer(1 + i % 2, conv, scheme);
            Bytes kept;
            const auto y = layer.forward_and_sketch(x, w, &bias, 3, kept);
            REQUIRE(kept == layer.sketch(x, 3));
            REQUIRE(same_bits(y, layer.forward(x, w, &bias)));
        }
    }
}

TEST_CASE("other seeds give other probes, in all 64 bits", "[sketch]")
{
    const Conv conv = cases::conv2d(1, 2, 1, 6, 3, 1);
    const auto x = rough_values<double>(conv.x_count(), 9);
    for (const Scheme &scheme : schemes(4)) {
        Layer<double> layer(1, conv, scheme);
        std::set<std::string> seen;
        for (int bit = -1; bit < 64; ++bit) {
            const uint64_t seed = bit < 0 ? 0 : uint64_t{1} << bit;
            const Bytes kept = layer.sketch(x, seed);
            seen.emplace(kept.begin(), kept.end());
        }
        INFO(scheme.describe());
        REQUIRE(seen.size() == 65);
    }
}

TEST_CASE("repeated calls on garbage workspace give the same bits", "[sketch]")
{
    const Conv conv = cases::conv2d(4, 3, 5, 11, 3, 1);
    const auto x = rough_values<float>(conv.x_count(), 10);
    const auto dy = rough_values<float>(conv.y_count(), 11);
    for (const Scheme &scheme : schemes(6)) {
        for (const auto order : {XCONV_DY_FIRST, XCONV_X_FIRST}) {
            INFO(scheme.describe() << ", order " << order);
            Layer<float> layer(2, conv, scheme, {order, 0});
            const Bytes kept = layer.sketch(x, 1);
            const auto first = layer.backward_filter(kept, 1, dy);
            REQUIRE(same_bits(first, layer.backward_filter(kept, 1, dy)));
            REQUIRE(same_bits(
                first, Layer<float>(2, conv, scheme, {order, 0}).backward_filter(kept, 1, dy)));
        }
    }
}

TEMPLATE_TEST_CASE("NaN in x reaches dw", "[sketch]", float, double)
{
    constexpr auto nan = std::numeric_limits<TestType>::quiet_NaN();
    const Conv conv = cases::conv2d(3, 2, 2, 6, 3, 1);
    auto x = rough_values<TestType>(conv.x_count(), 12);
    x[50] = nan; // sample 0, channel 1
    const auto dy = rough_values<TestType>(conv.y_count(), 13);
    for (const Scheme &scheme : schemes(8)) {
        for (const auto order : {XCONV_DY_FIRST, XCONV_X_FIRST}) {
            INFO(scheme.describe() << ", order " << order);
            Layer<TestType> layer(1, conv, scheme, {order, 0});
            const auto dw = layer.estimate(x, dy, 1);
            for (size_t i = 0; i < dw.size(); ++i) {
                const bool second_channel = i / 9 % 2 == 1;
                if (scheme.projection == XCONV_DENSE || second_channel) {
                    REQUIRE(std::isnan(dw[i]));
                }
                else {
                    REQUIRE(std::isfinite(dw[i]));
                }
            }
        }
    }
}

TEST_CASE("estimates are linear in dy", "[sketch]")
{
    const Conv conv = cases::conv2d(4, 3, 2, 7, 3, 1);
    Random random(15);
    const Tensor x = random.values(conv.x_count());
    const Tensor a = random.values(conv.y_count());
    const Tensor b = random.values(conv.y_count());
    Tensor mixed(a.size());
    Tensor weight(a.size());
    for (size_t i = 0; i < a.size(); ++i) {
        mixed[i] = 2 * a[i] - 3 * b[i];
        weight[i] = 2 * std::abs(a[i]) + 3 * std::abs(b[i]);
    }
    for (const Scheme &scheme : schemes(5)) {
        Layer<double> layer(1, conv, scheme);
        const Bytes kept = layer.sketch(x, 8);
        const Tensor of_a = layer.backward_filter(kept, 8, a);
        const Tensor of_b = layer.backward_filter(kept, 8, b);
        Tensor expected(of_a.size());
        for (size_t i = 0; i < expected.size(); ++i) {
            expected[i] = 2 * of_a[i] - 3 * of_b[i];
        }
        // Each of the three estimates errs as test_estimator.cpp says.
        const auto sketch = estimator::SketchMatrix::read<double>(conv, scheme, 8);
        const Tensor magnitude = backward_filter(conv, sketch.reconstruct_absolute(x), weight);
        const double roundings = 147 + 4 + 5 + 5 * 49 + 8;
        INFO(scheme.describe());
        support::require_close(layer.backward_filter(kept, 8, mixed), expected, magnitude,
                               2 * roundings);
    }
}
