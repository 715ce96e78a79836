// Whole numbers, signs as probes and a power of two of them: every partial sum is
// a whole number that the type holds exactly, so the order of summation cannot
// show. Results must then be equal to the last bit, to each other and to the
// oracle, for every contraction order, chunk size, batch split and thread count.
// 16-bit tensors have their sums in Float32: results are rounded once, and so are
// the oracle's.
#include <algorithm>
#include <cmath>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"

using oracle::Conv;
using oracle::Tensor;
using support::BF16;
using support::Bytes;
using support::F16;
using support::Layer;
using support::Options;
using support::Random;
using support::Scheme;
using support::to;

namespace {

struct WholeNumbers {
    WholeNumbers(const Conv &conv, int64_t largest, uint64_t seed)
    {
        Random random(seed);
        const auto draw = [&](int64_t count) {
            Tensor values(static_cast<size_t>(count));
            std::generate(values.begin(), values.end(),
                          [&] { return static_cast<double>(random.integer(-largest, largest)); });
            return values;
        };
        x = draw(conv.x_count());
        dy = draw(conv.y_count());
    }
    Tensor x;
    Tensor dy;
};

/// dw by the oracle, after proving that T holds every partial sum: those of the
/// undivided estimate are bounded by the sum of its absolute terms.
template <class T>
std::vector<T> exact_estimate(const Conv &conv, const Scheme &scheme, const WholeNumbers &data,
                              uint64_t seed)
{
    const auto sketch = estimator::SketchMatrix::read<T>(conv, scheme, seed);
    const auto averaged =
        static_cast<double>(estimator::probes_per_channel(scheme, conv.in_channels));
    const Tensor terms =
        backward_filter(conv, sketch.reconstruct_absolute(data.x), support::absolute(data.dy));
    const double largest = *std::max_element(terms.begin(), terms.end()) * averaged;
    REQUIRE(largest < std::ldexp(1.0, std::numeric_limits<support::Number<T>>::digits));
    return to<T>(backward_filter(conv, sketch.reconstruct(data.x), data.dy));
}

/// Signs, and a number of probes per channel that is a power of two.
Scheme signs(xconv_projection projection, int64_t averaged, int64_t in_channels)
{
    return {projection, XCONV_RADEMACHER,
            projection == XCONV_ORTHOGONAL ? averaged * in_channels : averaged};
}

Conv strided()
{
    Conv conv = cases::conv2d(6, 4, 6, 9, 3, 0);
    conv.groups = 2;
    conv.stride = {1, 2, 1};
    conv.dilation = {1, 1, 2};
    conv.pad_begin = {0, 2, 1};
    conv.pad_end = {0, 0, 3};
    conv.flip = true;
    return conv;
}

constexpr int64_t workspace_limits[] = {1, 1000, 20000, 0, int64_t{1} << 30};

template <class T> void check_everything(const Conv &conv, const Scheme &scheme, int64_t largest)
{
    constexpr uint64_t seed = 4711;
    const WholeNumbers data(conv, largest, 1);
    const auto x = to<T>(data.x);
    const auto dy = to<T>(data.dy);
    const std::vector<T> expected = exact_estimate<T>(conv, scheme, data, seed);
    for (const auto order : {XCONV_DY_FIRST, XCONV_X_FIRST}) {
        for (const int64_t limit : workspace_limits) {
            for (const int threads : {1, 2, 3, 4}) {
                INFO(conv.describe()
                     << ", " << scheme.describe() << ", order " << order << ", workspace limit "
                     << limit << ", " << threads << " threads");
                Layer<T> layer(threads, conv, scheme, Options{order, limit});
                REQUIRE(layer.estimate(x, dy, seed) == expected);
            }
        }
    }
}

} // namespace

TEMPLATE_TEST_CASE("whole numbers: orders, chunks and threads agree to the last bit", "[bitwise]",
                   float, double, F16, BF16)
{
    for (const xconv_projection projection : estimator::projections) {
        check_everything<TestType>(strided(), signs(projection, 4, 4), 3);
        check_everything<TestType>(cases::conv2d(5, 2, 3, 6, 3, 1), signs(projection, 8, 2), 3);
        check_everything<TestType>(cases::conv2d(3, 16, 16, 8, 3, 1), signs(projection, 1, 16), 1);
    }
    // One probe for several channels.
    check_everything<TestType>(strided(), {XCONV_ORTHOGONAL, XCONV_RADEMACHER, 2}, 3);
}

TEST_CASE("whole numbers: images larger than every tile", "[bitwise]")
{
    const Conv conv = cases::conv2d(3, 2, 2, 37, 3, 1);
    for (const xconv_projection projection : estimator::projections) {
        check_everything<double>(conv, signs(projection, 16, 2), 3);
        check_everything<float>(conv, signs(projection, 2, 2), 1);
    }
}

TEST_CASE("whole numbers: chunks of samples that differ in size agree to the last bit", "[bitwise]")
{
    const Conv conv = cases::conv2d(9, 16, 16, 24, 3, 1);
    WholeNumbers data(conv, 1, 6);
    std::fill_n(data.dy.begin(), data.dy.size() / 2, 0.0); // Float32 holds the sums of the rest
    const auto x = to<float>(data.x);
    const auto dy = to<float>(data.dy);
    const Scheme scheme = signs(XCONV_INDEPENDENT, 16, 16);
    const std::vector<float> expected = exact_estimate<float>(conv, scheme, data, 5);
    for (int64_t limit = 300'000; limit < 1'000'000; limit += limit / 32) {
        INFO("workspace limit " << limit);
        Layer<float> layer(8, conv, scheme, Options{XCONV_DY_FIRST, limit});
        REQUIRE(layer.estimate(x, dy, 5) == expected);
    }
}

TEST_CASE("whole numbers: a batch is the sum of its parts", "[bitwise]")
{
    const Conv conv = strided();
    const WholeNumbers data(conv, 3, 2);
    const auto x = to<float>(data.x);
    const auto dy = to<float>(data.dy);
    for (const xconv_projection projection : estimator::projections) {
        const Scheme scheme = signs(projection, 4, conv.in_channels);
        Layer<float> whole(1, conv, scheme);
        const Bytes kept = whole.sketch(x, 9);
        const std::vector<float> expected = whole.backward_filter(kept, 9, dy);
        for (const int64_t part : {1, 2, 3}) {
            INFO(scheme.describe() << ", " << part << " samples at a time");
            Conv piece = conv;
            piece.batch = part;
            Layer<float> layer(2, piece, scheme);
            std::vector<float> dw(expected.size(), 0.0F);
            for (int64_t b = 0; b < conv.batch; b += part) {
                const auto x0 = x.begin() + b * piece.x_count() / part;
                const auto dy0 = dy.begin() + b * piece.y_count() / part;
                const std::vector<float> x_part(x0, x0 + piece.x_count());
                const std::vector<float> dy_part(dy0, dy0 + piece.y_count());
                layer.backward_filter(layer.sketch(x_part, 9), 9, dy_part, 1, dw);
            }
            REQUIRE(dw == expected);
        }
    }
}

TEMPLATE_TEST_CASE("whole numbers: the exact passes agree to the last bit", "[bitwise]", float, F16,
                   BF16)
{
    for (const Conv &conv : {strided(), cases::conv2d(5, 16, 16, 7, 3, 1)}) {
        const WholeNumbers data(conv, 3, 3);
        Random random(4);
        const Tensor w = random.small_integers(conv.w_count());
        const std::vector<TestType> y = to<TestType>(forward(conv, data.x, w));
        const std::vector<TestType> dx = to<TestType>(backward_data(conv, w, data.dy));
        const std::vector<TestType> dw = to<TestType>(backward_filter(conv, data.x, data.dy));
        const std::vector<TestType> db = to<TestType>(backward_bias(conv, data.dy));
        for (const int threads : {1, 2, 3, 4}) {
            for (const int64_t limit : workspace_limits) {
                INFO(conv.describe() << ", " << threads << " threads, limit " << limit);
                Layer<TestType> layer(threads, conv, {}, {XCONV_CONTRACTION_AUTO, limit});
                const auto x = to<TestType>(data.x);
                const auto dy = to<TestType>(data.dy);
                REQUIRE(layer.forward(x, to<TestType>(w)) == y);
                REQUIRE(layer.backward_data(to<TestType>(w), dy) == dx);
                REQUIRE(layer.backward_filter_exact(x, dy) == dw);
                REQUIRE(layer.estimate(x, dy, 1) == dw);
                REQUIRE(layer.backward_bias(dy) == db);
            }
        }
    }
}
