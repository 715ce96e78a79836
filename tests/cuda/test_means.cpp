// The kernels of mean deflation, run on the CPU, against plain loops.
#include "cuda/ops_means.hpp"
#include "kernel_cases.hpp"

namespace cuda = xconv::cuda;
using namespace kernel_cases;
using xconv::ConvGeometry;

namespace {

constexpr xconv::cuda::Stream stream = nullptr;

/// A random axis: in, kernel, stride, dilation and padding that leave an output.
void random_axis(Random &random, ConvGeometry &g, size_t axis, int64_t longest)
{
    do {
        g.in[axis] = random.between(1, longest);
        g.kernel[axis] = random.between(1, 4);
        g.stride[axis] = random.between(1, 3);
        g.dilation[axis] = random.between(1, 3);
        g.pad_begin[axis] = random.between(0, 4);
        g.pad_end[axis] = random.between(0, 4);
        const int64_t room = g.in[axis] + g.pad_begin[axis] + g.pad_end[axis] -
                             (g.dilation[axis] * (g.kernel[axis] - 1) + 1);
        g.out[axis] = room < 0 ? 0 : room / g.stride[axis] + 1;
    } while (g.out[axis] < 1);
}

bool meets(const ConvGeometry &g, size_t axis, int64_t m, int64_t k)
{
    const int64_t at = g.stride[axis] * m + g.dilation[axis] * k - g.pad_begin[axis];
    return at >= 0 && at < g.in[axis];
}

/// The sum of a plane of dy over the outputs at which place k of the kernel meets x.
template <class X> double sum_met(const ConvGeometry &g, const X *plane, int64_t k)
{
    double sum = 0;
    for (int64_t m = 0; m < g.out_points(); ++m) {
        const int64_t line = m / g.out[2];
        const int64_t tap = k / g.kernel[2];
        if (meets(g, 2, m % g.out[2], k % g.kernel[2]) &&
            meets(g, 1, line % g.out[1], tap % g.kernel[1]) &&
            meets(g, 0, line / g.out[1], tap / g.kernel[1])) {
            sum += static_cast<double>(plane[m]);
        }
    }
    return sum;
}

template <class X> void check_filter_of_ones(Random &random, int rank, int64_t longest)
{
    ConvGeometry g;
    g.rank = rank;
    g.dtype = dtype_of<X>();
    for (size_t axis = static_cast<size_t>(3 - rank); axis < 3; ++axis) {
        random_axis(random, g, axis, longest);
    }
    g.batch = random.between(1, 3);
    g.out_channels = random.between(1, 6);
    g.x_channel = g.in_points();
    g.y_channel = g.out_points() + random.one_of<int64_t>({0, 7});
    const int64_t planes = g.batch * g.out_channels;
    const int64_t places = g.kernel_points();
    const auto dy = random.integers<X>(span(planes, g.out_points(), g.y_channel));
    Output<ComputeType<X>> sums(planes, places, places);
    cuda::filter_of_ones(stream, g, dy.data(), sums.data.data());
    sums.check(
        g.describe(),
        [&](int64_t plane, int64_t place) {
            return sum_met(g, dy.data() + plane * g.y_channel, place);
        },
        [](int64_t, int64_t) { return 0.0; });
}

} // namespace

TEMPLATE_TEST_CASE("channel_means averages channels of rows", "[means]", float, double,
                   xconv::Float16, xconv::BFloat16)
{
    using T = ComputeType<TestType>;
    Random random(51);
    for (int i = 0; i < 40; ++i) {
        const int64_t rows = random.one_of<int64_t>({1, 7, 8, 9});
        const int64_t channels = random.one_of<int64_t>({1, 2, 5});
        const int64_t length = random.one_of<int64_t>({1, 3, 49, 128, 3136, 8191, 8192, 9001});
        const int64_t stride = channels * length + random.one_of<int64_t>({0, 1, 4});
        const auto x = random.integers<TestType>(span(rows, channels * length, stride));
        Output<T> means(rows, channels, channels + 2);
        cuda::channel_means(stream, dtype_of<TestType>(),
                            {x.data(), rows, channels * length, stride}, {length, means.matrix()});
        means.check(
            fmt::format("{} rows of {} channels of {}", rows, channels, length),
            [&](int64_t row, int64_t channel) {
                double sum = 0;
                for (int64_t p = 0; p < length; ++p) {
                    sum += static_cast<double>(
                        x[static_cast<size_t>(row * stride + channel * length + p)]);
                }
                return static_cast<double>(static_cast<T>(sum / static_cast<double>(length)));
            },
            [](int64_t, int64_t) { return 0.0; });
    }
}

TEMPLATE_TEST_CASE("probe_means averages z over runs", "[means]", float, double)
{
    Random random(52);
    const Dtype compute = dtype_of<TestType>();
    for (const Distribution distribution : distributions) {
        for (int i = 0; i < 40; ++i) {
            const int64_t length = random.one_of<int64_t>({1, 31, 49, 128, 700, 3136});
            const Runs runs{random.between(1, 4), length, length + random.one_of<int64_t>({0, 9})};
            const int64_t columns = random.one_of<int64_t>({1, 5, 16, 18});
            const Probes probes{random.seed(), distribution,
                                random.one_of<int64_t>({0, 1, 33, 128, 5000}),
                                random.one_of<int64_t>({0, 3})};
            Output<TestType> means(runs.count, columns, columns + 2);
            cuda::probe_means(stream, compute, probes, runs, means.matrix());
            // Signs are counted; other entries are added up in double precision.
            const bool exact = distribution == Distribution::rademacher;
            const double tolerance = exact ? 0 : rounding(compute, 4);
            means.check(
                fmt::format("{} runs of {}", runs.count, runs.length),
                [&](int64_t run, int64_t j) {
                    double sum = 0;
                    for (int64_t p = 0; p < length; ++p) {
                        sum += entry(probes, compute, run * runs.stride + p, j);
                    }
                    return static_cast<double>(
                        static_cast<TestType>(sum / static_cast<double>(length)));
                },
                [&](int64_t, int64_t) { return tolerance; });
        }
    }
}

TEMPLATE_TEST_CASE("filter_of_ones sums dy where the kernel meets x", "[means]", float, double,
                   xconv::Float16, xconv::BFloat16)
{
    Random random(53);
    for (int i = 0; i < 60; ++i) {
        check_filter_of_ones<TestType>(random, 1, 300);
        check_filter_of_ones<TestType>(random, 2, 14);
        check_filter_of_ones<TestType>(random, 2, 60);
        check_filter_of_ones<TestType>(random, 3, 9);
    }
}
