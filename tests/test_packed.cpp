// Few-bit storage through the C ABI: its size, what is exact, what is bounded.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "half_range.hpp"
#include "support.hpp"

using estimator::few_bits;
using oracle::Conv;
using oracle::Tensor;
using support::Bytes;
using support::Layer;
using support::Random;
using support::Scheme;
using support::to;

namespace {

Scheme quantize(int bits, int64_t group = 0)
{
    return {XCONV_IDENTITY, XCONV_RADEMACHER, 0, false, bits, group};
}

/// A 1x1 convolution from Ci channels to one output channel: with dy a unit vector,
/// dw is x-hat at that place.
Conv pointwise(int64_t channels, int64_t points)
{
    Conv conv = cases::conv2d(1, channels, 1, 1, 1, 0);
    conv.rank = 1;
    conv.in = {1, 1, points};
    conv.kernel = {1, 1, 1};
    return conv;
}

template <class T>
std::vector<T> reconstruct(const Conv &conv, const Scheme &scheme, const std::vector<T> &x,
                           uint64_t seed)
{
    Layer<T> layer(1, conv, scheme);
    const Bytes kept = layer.sketch(x, seed);
    const int64_t points = conv.in[2];
    std::vector<T> x_hat(x.size());
    for (int64_t p = 0; p < points; ++p) {
        std::vector<T> dy(static_cast<size_t>(points), T(0));
        dy[static_cast<size_t>(p)] = 1;
        const std::vector<T> dw = layer.backward_filter(kept, seed, dy);
        for (int64_t c = 0; c < conv.in_channels; ++c) {
            x_hat[static_cast<size_t>(c * points + p)] = dw[static_cast<size_t>(c)];
        }
    }
    return x_hat;
}

} // namespace

TEMPLATE_TEST_CASE("packed sketches take the bytes that were promised", "[packed]", float, double)
{
    constexpr int64_t pair = sizeof(TestType);         // two of half its bits
    const Conv conv = cases::conv2d(5, 6, 2, 7, 3, 1); // 294 numbers a sample
    const auto bytes = [&](const Scheme &scheme) {
        return Layer<TestType>(1, conv, scheme).sketch_bytes();
    };
    for (const int bits : few_bits) {
        const int64_t codes = (294 * bits + 7) / 8;
        CHECK(bytes(quantize(bits)) == 5 * (codes + pair));
        CHECK(bytes(quantize(bits, 64)) == 5 * (codes + 5 * pair));
        CHECK(bytes(quantize(bits, 4096)) == 5 * (codes + pair));
        const Scheme dense{XCONV_DENSE, XCONV_RADEMACHER, 40, false, bits, 0};
        CHECK(bytes(dense) == 5 * (5 * bits + pair));
    }
    // The means of 6 channels in 8 bits, up to a whole number of the type.
    const int64_t means = (5 * (6 + pair) + pair - 1) / pair * pair;
    const Scheme deflated{XCONV_INDEPENDENT, XCONV_RADEMACHER, 4, true, 2, 0};
    CHECK(bytes(deflated) == means + 5 * (6 * 4 * 2 / 8 + pair));
    const Scheme native{XCONV_INDEPENDENT, XCONV_RADEMACHER, 4, true, 0, 0};
    CHECK(bytes(native) == 5 * (6 + 6 * 4) * static_cast<int64_t>(sizeof(TestType)));
}

TEST_CASE("usual groups cost an eighth of a bit", "[packed]")
{
    // The inputs of the second and third convolution of the demo.
    for (const int64_t numbers : {16 * 14 * 14, 32 * 7 * 7}) {
        const Conv conv = pointwise(1, numbers);
        CHECK(static_cast<double>(Layer<float>(1, conv, quantize(2)).sketch_bytes()) <=
              static_cast<double>(4 * numbers) / 15);
        CHECK(static_cast<double>(Layer<float>(1, conv, quantize(1)).sketch_bytes()) <=
              static_cast<double>(4 * numbers) / 28);
    }
}

TEMPLATE_TEST_CASE("a packed number is one of the two levels beside it", "[packed]", float, double)
{
    Random random(81);
    const Conv conv = pointwise(3, 37); // groups span channels, the last is short
    constexpr int64_t group = 16;
    for (const int bits : few_bits) {
        const auto x = to<TestType>(random.values(conv.x_count()));
        const auto x_hat = reconstruct<TestType>(conv, quantize(bits, group), x, 11);
        for (size_t begin = 0; begin < x.size(); begin += group) {
            const auto end = std::min(x.size(), begin + group);
            const auto [least, most] =
                std::minmax_element(x.begin() + static_cast<std::ptrdiff_t>(begin),
                                    x.begin() + static_cast<std::ptrdiff_t>(end));
            const double low = support::half_below<TestType>(static_cast<double>(*least));
            const double high = support::half_above<TestType>(static_cast<double>(*most));
            const double step = (high - low) / ((1 << bits) - 1);
            for (size_t i = begin; i < end; ++i) {
                const double level = (static_cast<double>(x_hat[i]) - low) / step;
                const double slack = 64 * std::numeric_limits<TestType>::epsilon() / step;
                INFO(bits << " bits, number " << i << ": " << x[i] << " kept as " << x_hat[i]);
                REQUIRE(std::abs(level - std::round(level)) <= slack);
                REQUIRE(std::abs(static_cast<double>(x_hat[i]) - static_cast<double>(x[i])) <
                        step * (1 + slack));
            }
        }
    }
}

TEMPLATE_TEST_CASE("numbers on a level stay as they are", "[packed]", float, double)
{
    Random random(82);
    const Conv conv = cases::conv2d(4, 3, 5, 6, 3, 1);
    const Tensor dy = random.small_integers(conv.y_count());
    for (const int bits : few_bits) {
        // Whole levels, with both ends in every group of 8.
        Tensor x(static_cast<size_t>(conv.x_count()));
        const int64_t levels = (1 << bits) - 1;
        const size_t sample = x.size() / 4;
        for (size_t i = 0; i < x.size(); ++i) {
            const size_t place = i % sample % 8;
            x[i] = static_cast<double>(place == 0   ? 0
                                       : place == 3 ? levels
                                                    : random.integer(0, levels)) -
                   5;
        }
        for (const int64_t limit : {0, 1}) { // whole images, and bands of them
            INFO(bits << " bits, workspace limit " << limit);
            Layer<TestType> layer(2, conv, quantize(bits, 8), {XCONV_CONTRACTION_AUTO, limit});
            support::require_close(
                layer.estimate(to<TestType>(x), to<TestType>(dy), 3), backward_filter(conv, x, dy),
                backward_filter(conv, support::absolute(x), support::absolute(dy)),
                bits == 8 ? 64 : 4); // levels of 255ths are rounded
        }
    }
}

TEMPLATE_TEST_CASE("constants, extremes and denormals survive packing", "[packed]", float, double)
{
    const auto most = static_cast<TestType>(support::largest_half<TestType>());
    const auto least = static_cast<TestType>(support::least_half<TestType>());
    const Conv conv = pointwise(1, 24);
    for (const int bits : few_bits) {
        for (const TestType value : {TestType(0), TestType(-0.5), most, -most, least}) {
            const std::vector<TestType> x(24, value);
            REQUIRE(reconstruct<TestType>(conv, quantize(bits), x, 1) == x);
        }
        // The widest range there is, and the narrowest.
        for (const TestType large : {most, least}) {
            std::vector<TestType> x(24, TestType(0));
            x[3] = large;
            x[20] = -large;
            const auto x_hat = reconstruct<TestType>(conv, quantize(bits), x, 2);
            CHECK(x_hat[3] == large);
            CHECK(x_hat[20] == -large);
            for (const TestType value : x_hat) {
                CHECK(std::abs(value) <= large);
            }
        }
    }
}

TEMPLATE_TEST_CASE("constants that ranges do not hold are bounded", "[packed]", float, double)
{
    const double spacing = std::ldexp(1, 1 - support::half_digits<TestType>);
    const Conv conv = pointwise(1, 24);
    for (const int bits : few_bits) {
        for (const TestType value : {TestType(-0.1), TestType(1e-30), TestType(12345.678)}) {
            for (const TestType kept :
                 reconstruct<TestType>(conv, quantize(bits), std::vector<TestType>(24, value), 1)) {
                CHECK(std::abs(kept - value) <= spacing * std::abs(value));
            }
        }
    }
}

TEMPLATE_TEST_CASE("numbers that are not finite reach dw as NaN", "[packed]", float, double)
{
    using Limits = std::numeric_limits<TestType>;
    const Conv conv = cases::conv2d(3, 2, 2, 6, 3, 1);
    Random random(83);
    const auto dy = to<TestType>(random.values(conv.y_count()));
    for (const TestType bad : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
        auto x = to<TestType>(random.values(conv.x_count()));
        x[50] = bad;
        std::vector<Scheme> list{quantize(2), {XCONV_DENSE, XCONV_RADEMACHER, 8, false, 4}};
        for (const xconv_projection projection : estimator::projections) {
            list.push_back({projection, XCONV_RADEMACHER, 8, true});
            list.push_back({projection, XCONV_RADEMACHER, 8, true, 8});
        }
        for (const Scheme &scheme : list) {
            const auto dw = Layer<TestType>(1, conv, scheme).estimate(x, dy, 1);
            INFO(scheme.describe() << ", " << bad);
            // Element 50 lies in channel 1, whose taps all see it.
            for (size_t i = 9; i < 18; ++i) {
                REQUIRE_FALSE(std::isfinite(dw[i]));
            }
        }
    }
}

TEMPLATE_TEST_CASE("numbers beyond what ranges hold come back as NaN", "[packed]", float, double)
{
    const Conv conv = pointwise(1, 24);
    for (const int bits : few_bits) {
        std::vector<TestType> x(24, TestType(1));
        x[13] = std::numeric_limits<TestType>::max();
        const auto x_hat = reconstruct<TestType>(conv, quantize(bits, 8), x, 1);
        for (size_t i = 0; i < x.size(); ++i) {
            // A product of 0 and NaN is NaN as well: dy meets all of x.
            CHECK(std::isnan(x_hat[i]));
        }
    }
}

TEMPLATE_TEST_CASE("packing depends on x and the seed alone", "[packed]", float, double)
{
    const Conv conv = cases::conv2d(5, 3, 2, 23, 3, 1);
    Random random(84);
    const auto x = to<TestType>(random.values(conv.x_count()));
    const auto dy = to<TestType>(random.values(conv.y_count()));
    for (const Scheme &scheme :
         {quantize(1), quantize(4, 40), Scheme{XCONV_DENSE, XCONV_RADEMACHER, 33, true, 2},
          Scheme{XCONV_INDEPENDENT, XCONV_GAUSSIAN, 5, true, 8, 8}}) {
        const Bytes expected = Layer<TestType>(1, conv, scheme).sketch(x, 6);
        REQUIRE(Layer<TestType>(1, conv, scheme).sketch(x, 7) != expected);
        for (const int threads : {1, 2, 3}) {
            for (const int64_t limit : {int64_t{0}, int64_t{1}, int64_t{1} << 30}) {
                INFO(scheme.describe() << ", " << threads << " threads, limit " << limit);
                Layer<TestType> layer(threads, conv, scheme, {XCONV_CONTRACTION_AUTO, limit});
                REQUIRE(layer.sketch(x, 6) == expected);
                const auto dw = layer.backward_filter(expected, 6, dy);
                REQUIRE(support::same_bits(dw, layer.backward_filter(expected, 6, dy)));
            }
        }
    }
}

TEST_CASE("a group may be as large as its type", "[packed]")
{
    const Conv conv = pointwise(2, 75);
    Random random(66);
    const auto x = to<float>(random.values(conv.x_count()));
    constexpr int64_t largest = std::numeric_limits<int64_t>::max() / 8 * 8;
    REQUIRE(reconstruct(conv, quantize(2, largest), x, 3) ==
            reconstruct(conv, quantize(2, 152), x, 3));
}

TEMPLATE_TEST_CASE("every byte of a packed sketch is written", "[packed]", float, double)
{
    // Three means of 8 bits leave a gap before the numbers, which start aligned.
    const Conv conv = cases::conv2d(1, 3, 2, 5, 3, 1);
    const Scheme scheme{XCONV_INDEPENDENT, XCONV_RADEMACHER, 4, true, 2, 8};
    const support::Context context;
    const support::Plan plan(context, conv, support::dtype_of<TestType>, scheme);
    const auto x = to<TestType>(Random(85).values(conv.x_count()));
    Bytes scratch(static_cast<size_t>(plan.query(XCONV_QUERY_WORKSPACE_SKETCH)));
    const auto kept_over = [&](unsigned char before) {
        Bytes kept(static_cast<size_t>(plan.query(XCONV_QUERY_SKETCH_BYTES)), before);
        REQUIRE_OK(xconv_sketch(context.get(), plan.get(), x.data(), 6, kept.data(), kept.size(),
                                scratch.data(), scratch.size()));
        return kept;
    };
    REQUIRE(kept_over(0x00) == kept_over(0xff));
}
