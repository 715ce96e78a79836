// What is special about 16-bit tensors: they only store. Numbers made from them are
// those that Float32 tensors of the same values give, and results are rounded once.
// That every entry point meets the oracle is checked where the other types are.
#include <cmath>
#include <limits>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"

using oracle::Conv;
using oracle::Pool;
using oracle::Tensor;
using support::BF16;
using support::Bytes;
using support::Context;
using support::dtype_of;
using support::F16;
using support::Layer;
using support::Random;
using support::same_bits;
using support::Scheme;
using support::to;
using support::widen;

namespace {

/// Every projection and distribution, with and without mean and few bits.
std::vector<Scheme> schemes(int64_t probes)
{
    std::vector<Scheme> list{{XCONV_IDENTITY, XCONV_RADEMACHER, 0, false, 2, 16},
                             {XCONV_IDENTITY, XCONV_RADEMACHER, 0, false, 8, 0}};
    for (const xconv_projection projection : estimator::projections) {
        for (const xconv_distribution distribution : estimator::distributions) {
            list.push_back({projection, distribution, probes});
            list.push_back({projection, distribution, probes, true});
            list.push_back({projection, distribution, probes, true, 4, 8});
        }
    }
    return list;
}

template <class T> std::vector<T> rough(int64_t count, uint64_t seed)
{
    Random random(seed);
    std::vector<T> values(static_cast<size_t>(count));
    for (T &value : values) {
        value = T(random.value() * std::exp2(static_cast<double>(random.integer(-9, 9))) / 3);
    }
    return values;
}

} // namespace

TEMPLATE_TEST_CASE("16-bit tensors take two bytes an element", "[half]", F16, BF16)
{
    const Conv conv = cases::conv2d(5, 6, 2, 7, 3, 1);
    const Layer<TestType> narrow(1, conv, {XCONV_DENSE, XCONV_RADEMACHER, 9});
    const Layer<TestType, float> wide(1, conv, {XCONV_DENSE, XCONV_RADEMACHER, 9});
    CHECK(narrow.plan().query(XCONV_QUERY_X_BYTES) == 2 * conv.x_count());
    CHECK(narrow.plan().query(XCONV_QUERY_W_BYTES) == 2 * conv.w_count());
    CHECK(narrow.plan().query(XCONV_QUERY_Y_BYTES) == 2 * conv.y_count());
    CHECK(narrow.plan().query(XCONV_QUERY_BIAS_BYTES) == 2 * conv.out_channels);
    CHECK(narrow.plan().query(XCONV_QUERY_DW_BYTES) == 2 * conv.w_count());
    CHECK(narrow.plan().query(XCONV_QUERY_DB_BYTES) == 2 * conv.out_channels);
    CHECK(wide.plan().query(XCONV_QUERY_W_BYTES) == 2 * conv.w_count());
    CHECK(wide.plan().query(XCONV_QUERY_DW_BYTES) == 4 * conv.w_count());
    CHECK(wide.plan().query(XCONV_QUERY_DB_BYTES) == 4 * conv.out_channels);
    CHECK(narrow.sketch_bytes() == 5 * 9 * 4); // Float32 numbers
    CHECK(Layer<TestType>(1, conv).sketch_bytes() == 2 * conv.x_count());
}

TEMPLATE_TEST_CASE("dw, db and sketches in Float32 are aligned to it", "[half]", F16, BF16)
{
    const Conv conv = cases::conv2d(2, 2, 2, 5, 3, 1);
    const Context context(1);
    const support::Plan plan(context, conv, dtype_of<TestType>, {XCONV_DENSE, XCONV_RADEMACHER, 3},
                             {}, true);
    support::Guarded<TestType> x(conv.x_count());
    support::Guarded<TestType> dy(conv.y_count());
    support::Guarded<TestType> out(2 * conv.w_count() + 1); // of two bytes an element
    support::Guarded<TestType> sketch(2 * 2 * 3 + 1);
    support::Guarded<unsigned char> workspace(plan.query(XCONV_QUERY_WORKSPACE_MAX));
    const auto filter = [&](const TestType *kept, TestType *dw) {
        return xconv_backward_filter(context.get(), plan.get(), kept, 2 * 3 * sizeof(float), 1,
                                     dy.data(), 0, dw, workspace.data(), workspace.bytes());
    };
    CHECK(xconv_sketch(context.get(), plan.get(), x.data(), 1, sketch.data() + 1,
                       2 * 3 * sizeof(float), workspace.data(),
                       workspace.bytes()) == XCONV_INVALID_ARGUMENT);
    CHECK(filter(sketch.data() + 1, out.data()) == XCONV_INVALID_ARGUMENT);
    CHECK(filter(sketch.data(), out.data() + 1) == XCONV_INVALID_ARGUMENT);
    CHECK(xconv_backward_filter_exact(context.get(), plan.get(), x.data(), dy.data(), 0,
                                      out.data() + 1, workspace.data(),
                                      workspace.bytes()) == XCONV_INVALID_ARGUMENT);
    CHECK(xconv_backward_bias(context.get(), plan.get(), dy.data(), 0, out.data() + 1) ==
          XCONV_INVALID_ARGUMENT);
    CHECK(filter(sketch.data(), out.data()) == XCONV_SUCCESS);
}

TEMPLATE_TEST_CASE("a sketch of 16-bit numbers is that of the same numbers in Float32", "[half]",
                   F16, BF16)
{
    for (const int64_t size : {5, 37}) { // within a tile, and beyond segments
        const Conv conv = cases::conv2d(5, 3, 2, size, 3, 1);
        const auto x = rough<TestType>(conv.x_count(), 1);
        const std::vector<float> same = to<float>(widen(x));
        for (const Scheme &scheme : schemes(19)) {
            for (const int threads : {1, 3}) {
                INFO(scheme.describe() << ", image " << size << ", " << threads << " threads");
                REQUIRE(Layer<TestType>(threads, conv, scheme).sketch(x, 42) ==
                        Layer<float>(threads, conv, scheme).sketch(same, 42));
            }
        }
    }
    const Conv conv = cases::conv2d(2, 3, 2, 5, 3, 1);
    const auto x = rough<TestType>(conv.x_count(), 1);
    const Bytes kept = Layer<TestType>(1, conv).sketch(x, 1);
    REQUIRE(std::memcmp(kept.data(), x.data(), kept.size()) == 0);
}

TEMPLATE_TEST_CASE("dw and db in 16 bits are those in Float32, rounded once", "[half]", F16, BF16)
{
    Random random(3);
    for (int i = 0; i < 40; ++i) {
        const Conv conv = cases::draw_conv(random);
        const auto x = rough<TestType>(conv.x_count(), 4);
        const auto dy = rough<TestType>(conv.y_count(), 5);
        std::vector<Scheme> list = schemes(random.integer(1, 9));
        list.push_back({});
        for (const Scheme &scheme : list) {
            INFO(conv.describe() << ", " << scheme.describe());
            Layer<TestType> narrow(2, conv, scheme);
            Layer<TestType, float> wide(2, conv, scheme);
            REQUIRE(
                same_bits(narrow.estimate(x, dy, 6), to<TestType>(widen(wide.estimate(x, dy, 6)))));
        }
        Layer<TestType> narrow(1, conv);
        Layer<TestType, float> wide(1, conv);
        REQUIRE(same_bits(narrow.backward_filter_exact(x, dy),
                          to<TestType>(widen(wide.backward_filter_exact(x, dy)))));
        REQUIRE(same_bits(narrow.backward_bias(dy), to<TestType>(widen(wide.backward_bias(dy)))));
    }
}

TEMPLATE_TEST_CASE("y is rounded once, its bias in it", "[half]", F16, BF16)
{
    Random random(8);
    // Whole numbers whose sums are exact in Float32, and not nearly so in 16 bits.
    const auto whole = [&](int64_t count, int most) {
        std::vector<TestType> values(static_cast<size_t>(count));
        for (TestType &value : values) {
            value = TestType(static_cast<double>(random.integer(-most, most)));
        }
        return values;
    };
    for (int i = 0; i < 40; ++i) {
        const Conv conv = cases::draw_conv(random);
        const auto x = whole(conv.x_count(), 60);
        const auto w = whole(conv.w_count(), 15);
        const auto bias = whole(conv.out_channels, 250);
        INFO(conv.describe());
        Layer<TestType> layer(2, conv);
        REQUIRE(same_bits(layer.forward(x, w, &bias),
                          to<TestType>(oracle::forward(conv, widen(x), widen(w), widen(bias)))));
    }
}

TEMPLATE_TEST_CASE("16-bit results overflow to infinity, and NaN reaches them", "[half]", F16, BF16)
{
    const double large = std::is_same_v<TestType, F16> ? 60000 : 3e38;
    const Conv conv = cases::conv2d(1, 1, 1, 2, 1, 0);
    Layer<TestType> layer(1, conv);
    const std::vector<TestType> y = layer.forward({large, -large, std::nan(""), 1}, {TestType(2)});
    CHECK(y[0] == std::numeric_limits<double>::infinity());
    CHECK(y[1] == -std::numeric_limits<double>::infinity());
    CHECK(std::isnan(y[2]));
    CHECK(y[3] == 2);
    if (std::is_same_v<TestType, F16>) { // sums pass its range, and come back
        const std::vector<TestType> ones(4, TestType(1));
        CHECK(layer.backward_filter_exact({large, large, -large, -large}, ones)[0] == 0);
    }
}

TEMPLATE_TEST_CASE("overlapping windows: 16-bit cotangents are added before they are rounded",
                   "[half][maxpool]", F16, BF16)
{
    const auto run = [](const Pool &pool, const Tensor &x, const Tensor &dy) {
        const Context context(2);
        const xconv_pool_desc desc = support::describe(pool, dtype_of<TestType>);
        int64_t bytes = 0;
        REQUIRE_OK(xconv_maxpool_query(&desc, XCONV_POOL_INDEX_BYTES, &bytes));
        support::Guarded<unsigned char> index(bytes);
        support::Guarded<TestType> y(pool.y_count());
        support::Guarded<TestType> dx(pool.x_count());
        REQUIRE_OK(xconv_maxpool_forward(context.get(), &desc, to<TestType>(x).data(), y.data(),
                                         index.data(), index.bytes()));
        REQUIRE_OK(xconv_maxpool_backward(context.get(), &desc, index.data(), index.bytes(),
                                          to<TestType>(dy).data(), dx.data()));
        return widen(dx.take());
    };
    Pool line;
    line.rank = 1;
    line.in = {1, 1, 5};
    line.kernel = {1, 1, 3};
    // The least whole number whose neighbours are two apart: adding 1 to it rounds.
    const double even = 2 / std::numeric_limits<TestType>::epsilon();
    CHECK(run(line, {0, 0, 9, 0, 0}, {even, 1, 1}) == Tensor{0, 0, even + 2, 0, 0});

    // Planes in one piece, in pieces of lines and slices, and of parts of lines.
    std::vector<Pool> pools(3);
    pools[0].in = {1, 71, 83};
    pools[0].kernel = {1, 3, 4};
    pools[0].stride = {1, 2, 1};
    pools[0].pad_begin = pools[0].pad_end = {0, 1, 2};
    pools[1].rank = 3;
    pools[1].in = {5, 37, 41};
    pools[1].kernel = {2, 3, 3};
    pools[1].stride = {1, 2, 2};
    pools[1].pad_begin = pools[1].pad_end = {1, 1, 0};
    pools[2].rank = 1;
    pools[2].in = {1, 1, 9001};
    pools[2].kernel = {1, 1, 5};
    pools[2].stride = {1, 1, 2};
    for (Pool &pool : pools) {
        INFO(pool.describe());
        pool.batch = 2;
        Random random(8);
        const Tensor x = random.small_integers(pool.x_count());
        const Tensor dy = random.small_integers(pool.y_count());
        REQUIRE(run(pool, x, dy) == maxpool_backward(pool, oracle::maxpool(pool, x).winner, dy));
    }
}
