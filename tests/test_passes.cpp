// The exact passes against the oracle: several hundred geometries, all types, one
// and two threads.
//
// Tolerance. A sum of n products, in whatever order, with or without fused
// multiply-adds, differs from its true value by at most n u sum|terms| / (1 - n u)
// with u = eps / 2 (Higham, Accuracy and Stability of Numerical Algorithms,
// section 3.1). The Float64 oracle errs by as much again, so the difference is
// below n eps sum|terms| up to the denominator. `slack` more operations are
// granted for bias and beta, which also pays for the denominator.
#include <limits>

#include "cases.hpp"
#include "catch.hpp"
#include "oracle.hpp"
#include "support.hpp"

using oracle::Conv;
using oracle::product;
using oracle::Tensor;
using support::absolute;
using support::BF16;
using support::Bytes;
using support::F16;
using support::Layer;
using support::Random;
using support::require_close;
using support::to;

namespace {

constexpr int kRandomCases = 400;
constexpr double slack = 4;

double per_filter_entry(const Conv &conv)
{
    return static_cast<double>(conv.batch * product(conv.out()));
}

double per_output(const Conv &conv)
{
    const int64_t channels = conv.in_channels / conv.groups;
    return static_cast<double>(channels * product(conv.kernel));
}

double per_input(const Conv &conv)
{
    const int64_t channels = conv.out_channels / conv.groups;
    return static_cast<double>(channels * product(conv.kernel));
}

struct Data {
    explicit Data(const Conv &conv, Random &random)
        : x(random.values(conv.x_count())), w(random.values(conv.w_count())),
          bias(random.values(conv.out_channels)), dy(random.values(conv.y_count()))
    {
    }
    /// The values that T holds exactly.
    template <class T> Data rounded() const
    {
        Data copy = *this;
        for (Tensor *tensor : {&copy.x, &copy.w, &copy.bias, &copy.dy}) {
            *tensor = support::rounded<T>(*tensor);
        }
        return copy;
    }
    Tensor x;
    Tensor w;
    Tensor bias;
    Tensor dy;
};

template <class T, class Dw> void check_forward(Layer<T, Dw> &layer, const Data &data)
{
    const Conv &conv = layer.conv();
    const double factor = per_output(conv) + slack;
    const auto x = to<T>(data.x);
    const auto w = to<T>(data.w);
    const auto bias = to<T>(data.bias);
    require_close(layer.forward(x, w), forward(conv, data.x, data.w),
                  forward(conv, absolute(data.x), absolute(data.w)), factor);
    const Tensor expected = forward(conv, data.x, data.w, data.bias);
    const Tensor magnitude = forward(conv, absolute(data.x), absolute(data.w), absolute(data.bias));
    require_close(layer.forward(x, w, &bias), expected, magnitude, factor);
    Bytes kept;
    require_close(layer.forward_and_sketch(x, w, &bias, 7, kept), expected, magnitude, factor);
    REQUIRE(support::same_bits(kept, layer.sketch(x, 7)));
}

/// dw with and without accumulation, by a call that takes (beta, dw).
template <class T, class Dw, class Run>
void check_filter(const Layer<T, Dw> &layer, const Data &data, Run &&run)
{
    const Conv &conv = layer.conv();
    const double factor = per_filter_entry(conv) + slack;
    const Tensor exact = backward_filter(conv, data.x, data.dy);
    const Tensor magnitude = backward_filter(conv, absolute(data.x), absolute(data.dy));
    std::vector<Dw> dw; // the call finds NaN in its place
    run(0.0, dw);
    require_close(dw, exact, magnitude, factor);
    for (const double beta : {1.0, -0.75}) {
        std::vector<Dw> sum = to<Dw>(data.w);
        run(beta, sum);
        Tensor expected = exact;
        Tensor largest = magnitude;
        for (size_t i = 0; i < expected.size(); ++i) {
            expected[i] += beta * data.w[i];
            largest[i] += std::abs(beta * data.w[i]);
        }
        require_close(sum, expected, largest, factor);
    }
}

template <class T, class Dw> void check_bias(Layer<T, Dw> &layer, const Data &data)
{
    const Conv &conv = layer.conv();
    const double factor = per_filter_entry(conv) + slack;
    const auto dy = to<T>(data.dy);
    Tensor expected = backward_bias(conv, data.dy);
    Tensor magnitude = backward_bias(conv, absolute(data.dy));
    require_close(layer.backward_bias(dy), expected, magnitude, factor);
    std::vector<Dw> db = to<Dw>(data.bias);
    layer.backward_bias(dy, 0.5, db);
    for (size_t i = 0; i < expected.size(); ++i) {
        expected[i] += 0.5 * data.bias[i];
        magnitude[i] += std::abs(0.5 * data.bias[i]);
    }
    require_close(db, expected, magnitude, factor);
}

template <class T, class Dw = T>
void check_all(const Conv &conv, int threads, uint64_t seed, int64_t workspace_limit = 0)
{
    INFO(conv.describe() << ", " << threads << " threads, data " << seed);
    Random random(seed);
    const Data data = Data(conv, random).template rounded<T>();
    const auto x = to<T>(data.x);
    const auto dy = to<T>(data.dy);
    Layer<T, Dw> layer(threads, conv, {}, {XCONV_CONTRACTION_AUTO, workspace_limit});

    check_forward(layer, data);
    check_filter(layer, data, [&](double beta, std::vector<Dw> &dw) {
        layer.backward_filter_exact(x, dy, beta, dw);
    });
    const Bytes kept = layer.sketch(x, 3); // the identity keeps x itself
    check_filter(layer, data, [&](double beta, std::vector<Dw> &dw) {
        layer.backward_filter(kept, 3, dy, beta, dw);
    });
    require_close(layer.backward_data(to<T>(data.w), dy), backward_data(conv, data.w, data.dy),
                  backward_data(conv, absolute(data.w), absolute(data.dy)),
                  per_input(conv) + slack);
    check_bias(layer, data);
}

} // namespace

TEMPLATE_TEST_CASE("exact passes meet the oracle on special geometries", "[passes]", float, double,
                   F16, BF16)
{
    uint64_t seed = 1;
    for (const Conv &conv : cases::special_convs()) {
        for (const int threads : {1, 2}) {
            check_all<TestType>(conv, threads, seed++);
        }
    }
}

TEMPLATE_TEST_CASE("exact passes meet the oracle on random geometries", "[passes]", float, double,
                   F16, BF16)
{
    Random random(20210611);
    for (uint64_t i = 0; i < kRandomCases; ++i) {
        check_all<TestType>(cases::draw_conv(random), i % 2 == 0 ? 1 : 2, 1000 + i);
    }
}

TEMPLATE_TEST_CASE("exact passes meet the oracle on lines that are cut for their length",
                   "[passes]", float, double, F16, BF16)
{
    Conv conv = cases::conv2d(2, 1, 2, 1, 1, 0);
    conv.rank = 1;
    conv.in[2] = 300000;
    conv.kernel[2] = 4;
    conv.stride[2] = 2;
    conv.pad_begin[2] = 3;
    check_all<TestType>(conv, 2, 42);
    Conv points = cases::conv2d(2, 3, 2, 1, 1, 0); // taken as they lie
    points.rank = 1;
    points.in[2] = 150000;
    check_all<TestType>(points, 1, 43);
}

TEST_CASE("exact passes meet the oracle where no second window fits, whatever the stride",
          "[passes]")
{
    for (const int64_t stride : {int64_t{9}, std::numeric_limits<int64_t>::max()}) {
        Conv conv = cases::conv2d(2, 3, 4, 6, 3, 0);
        conv.stride = {1, stride, stride};
        conv.pad_begin = {0, 2, 1};
        conv.pad_end = {0, 1, 1};
        check_all<float>(conv, 2, 43);
        check_all<double>(conv, 1, 44, 1);
    }
}

TEST_CASE("exact passes meet the oracle where some kernels of oneDNN do not", "[passes]")
{
    // Strided 1x1 with few channels.
    for (const int64_t channels : {4, 7, 8, 15, 17, 33}) {
        Conv conv = cases::conv2d(3, channels, 16, 112, 1, 0);
        conv.stride = {1, 2, 2};
        check_all<float>(conv, 1, 61);
        check_all<BF16>(conv, 2, 62);
    }
    for (const int64_t channels : {33, 40, 48}) { // blocks of channels, and dilation
        Conv conv = cases::conv2d(1, channels, 16, 9, 3, 1);
        conv.in[2] = 20;
        conv.dilation = {1, 2, 1};
        conv.pad_begin = conv.pad_end = {0, 2, 1};
        check_all<BF16>(conv, 1, 63);
    }
    Conv skips = cases::conv2d(1, 64, 18, 5, 3, 1); // rows
    skips.in[1] = 39;
    skips.kernel = {1, 1, 3};
    skips.stride = {1, 2, 2};
    skips.pad_begin = skips.pad_end = {0, 0, 1};
    check_all<BF16>(skips, 1, 64);
    check_all<BF16>(skips, 3, 65);
    Conv wide = cases::conv2d(1, 3, 7, 4, 3, 1);
    wide.in[2] = 1000;
    check_all<BF16>(wide, 2, 66);
}

TEMPLATE_TEST_CASE("exact passes meet the oracle where taps meet padding only", "[passes]", float,
                   BF16)
{
    for (const int64_t channels : {7, 16}) {
        for (const int64_t rows : {1, 8}) {
            for (int64_t size = 2; size <= 4; ++size) {
                for (int64_t stride = size; stride <= 5; ++stride) {
                    Conv conv = cases::conv2d(2, channels, 3, size, size == 2 ? 2 : 3, 0);
                    conv.in[1] = rows;
                    conv.kernel[1] = rows == 1 ? 1 : 4;
                    conv.stride = {1, rows == 1 ? 1 : 5, stride};
                    conv.pad_begin[2] = conv.kernel[2] - 1;
                    check_all<TestType>(conv, 1, 71);
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("exact passes of 16-bit tensors: dw and db in Float32, any workspace",
                   "[passes]", F16, BF16)
{
    Random random(17);
    for (uint64_t i = 0; i < 100; ++i) {
        const Conv conv = cases::draw_conv(random);
        check_all<TestType, float>(conv, i % 2 == 0 ? 1 : 2, 2000 + i);
        check_all<TestType>(conv, i % 2 == 0 ? 2 : 1, 3000 + i, int64_t{1} << (i % 20));
    }
}

TEST_CASE("exact passes meet the oracle when the workspace is kept small", "[passes]")
{
    Random random(5);
    for (int i = 0; i < 60; ++i) {
        const Conv conv = cases::draw_conv(random);
        INFO(conv.describe());
        const Data data(conv, random);
        Layer<double> layer(1, conv, {}, {XCONV_CONTRACTION_AUTO, 1});
        check_forward(layer, data);
        const Bytes kept = layer.sketch(data.x, 3);
        check_filter(layer, data, [&](double beta, Tensor &dw) {
            layer.backward_filter(kept, 3, data.dy, beta, dw);
        });
        require_close(layer.backward_data(data.w, data.dy), backward_data(conv, data.w, data.dy),
                      backward_data(conv, absolute(data.w), absolute(data.dy)),
                      per_input(conv) + slack);
    }
}
