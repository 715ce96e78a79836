// The sums behind mean deflation, in every compiled variant, against plain loops.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "../catch.hpp"
#include "cpu/deflation.hpp"
#include "cpu/probes.hpp"
#include "cpu/signs.hpp"
#include "probe_entry.hpp"
#include "variants.hpp"

using xconv::Axes;
using xconv::BFloat16;
using xconv::ConvGeometry;
using xconv::Distribution;
using xconv::Dtype;
using xconv::Float16;
using xconv::Runs;
using xconv::cpu::DeflationOps;
using xconv::cpu::ProbeOps;
using xconv::cpu::SimdVariant;

namespace {

/// Whole numbers so small that every order of summing them is exact.
template <class In> std::vector<In> whole_numbers(int64_t count, uint64_t seed)
{
    std::mt19937_64 bits(seed);
    std::vector<In> values(static_cast<size_t>(count));
    for (In &value : values) {
        value = static_cast<In>(
            static_cast<xconv::ComputeType<In>>(static_cast<int64_t>(bits() % 7) - 3));
    }
    return values;
}

/// Numbers with nothing behind them: the process ends where one looks.
template <class In> class LastOfMemory {
  public:
    explicit LastOfMemory(const std::vector<In> &values)
    {
        const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        const size_t bytes = values.size() * sizeof(In);
        const size_t pages = (bytes + page - 1) / page * page;
        length_ = pages + page;
        base_ = static_cast<char *>(
            mmap(nullptr, length_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        REQUIRE(base_ != MAP_FAILED);
        REQUIRE(mprotect(base_ + pages, page, PROT_NONE) == 0);
        data_ = base_ + pages - bytes;
        std::memcpy(data_, values.data(), bytes);
    }
    ~LastOfMemory() { munmap(base_, length_); }
    LastOfMemory(const LastOfMemory &) = delete;
    LastOfMemory &operator=(const LastOfMemory &) = delete;

    [[nodiscard]] const void *data() const { return data_; }

  private:
    char *base_;
    char *data_;
    size_t length_;
};

struct Axis {
    int64_t in, kernel, stride, dilation, begin, end;
};

ConvGeometry geometry(Dtype dtype, const Axis &d, const Axis &h, const Axis &w)
{
    ConvGeometry g;
    g.rank = 3;
    g.dtype = dtype;
    g.batch = 2;
    g.in_channels = 2;
    g.out_channels = 6;
    g.groups = 2;
    const Axis axes[] = {d, h, w};
    for (size_t i = 0; i < 3; ++i) {
        const Axis &axis = axes[i];
        g.in[i] = axis.in;
        g.kernel[i] = axis.kernel;
        g.stride[i] = axis.stride;
        g.dilation[i] = axis.dilation;
        g.pad_begin[i] = axis.begin;
        g.pad_end[i] = axis.end;
        g.out[i] = (axis.in + axis.begin + axis.end - axis.dilation * (axis.kernel - 1) - 1) /
                       axis.stride +
                   1;
    }
    g.x_channel = g.in_points();
    g.y_channel = g.out_points();
    return g;
}

constexpr Axis flat{1, 1, 1, 1, 0, 0};
/// Axes with every kind of border, and lines on both sides of a vector's length.
constexpr Axis axes[] = {
    {8, 3, 1, 1, 1, 1},   // the usual one
    {65, 3, 1, 1, 1, 1},  // a little more than whole vectors
    {7, 3, 1, 1, 0, 0},   // no border
    {9, 4, 2, 1, 2, 1},   // even kernel, stride
    {10, 3, 1, 3, 3, 4},  // dilation
    {3, 5, 1, 1, 4, 4},   // more padding than image
    {2, 2, 3, 2, 5, 7},   // windows wholly in padding
    {150, 5, 1, 2, 4, 4}, // longer than what is summed at once
    {5, 1, 4, 1, 0, 3},   // one place
};

/// Where place k of an axis meets x, for output m.
bool meets(const ConvGeometry &g, size_t axis, int64_t k, int64_t m)
{
    const int64_t place = m * g.stride[axis] + k * g.dilation[axis] - g.pad_begin[axis];
    return 0 <= place && place < g.in[axis];
}

/// The definition, [batch][Co][K]: a sum over all outputs for every place of the kernel.
template <class In> std::vector<double> reference(const ConvGeometry &g, const std::vector<In> &dy)
{
    const int64_t places = g.kernel_points();
    std::vector<double> sums(static_cast<size_t>(g.batch * g.out_channels * places));
    for (int64_t plane = 0; plane < g.batch * g.out_channels; ++plane) {
        const In *from = dy.data() + plane * g.out_points();
        for (int64_t k = 0; k < places; ++k) {
            const Axes place{k / (g.kernel[1] * g.kernel[2]), k / g.kernel[2] % g.kernel[1],
                             k % g.kernel[2]};
            double sum = 0;
            for (int64_t m = 0; m < g.out_points(); ++m) {
                const Axes output{m / (g.out[1] * g.out[2]), m / g.out[2] % g.out[1], m % g.out[2]};
                if (meets(g, 0, place[0], output[0]) && meets(g, 1, place[1], output[1]) &&
                    meets(g, 2, place[2], output[2])) {
                    sum += static_cast<double>(static_cast<xconv::ComputeType<In>>(from[m]));
                }
            }
            sums[static_cast<size_t>(plane * places + k)] = sum;
        }
    }
    return sums;
}

template <class In>
void check_ones(const SimdVariant &variant, const ConvGeometry &g, const std::vector<In> &dy)
{
    using T = xconv::ComputeType<In>;
    const std::vector<double> expected = reference(g, dy);
    std::vector<T> sums(expected.size() + 1, T(77));
    const LastOfMemory<In> from(dy);
    DeflationOps{2, &variant}.filter_of_ones(g, {0, g.out_points()}, from.data(), sums.data());
    REQUIRE(sums.back() == T(77));
    for (size_t i = 0; i < expected.size(); ++i) {
        const auto got = static_cast<double>(sums[i]);
        if (!(got == expected[i] || (std::isnan(got) && std::isnan(expected[i])))) {
            FAIL(variant.name << ": sum " << i << " is " << got << " instead of " << expected[i]);
        }
    }
}

/// Places of a row along the slowest axis that has several.
int64_t row_points(const ConvGeometry &g)
{
    return g.out[0] > 1 ? g.out[1] * g.out[2] : g.out[1] > 1 ? g.out[2] : 1;
}

/// combine_and_sum() of so many rows at a time is combine() and the filter of ones.
template <class In>
void check_combined(const ProbeOps &ops, const ConvGeometry &g, int64_t columns, int64_t rows)
{
    using T = xconv::ComputeType<In>;
    INFO(rows << " rows at a time");
    const auto dy = whole_numbers<In>(g.y_count(), 6);
    const auto c = whole_numbers<T>(g.batch * columns, 7);
    const xconv::ConstMatrix coefficients{c.data(), g.batch, columns, columns};
    const std::vector<double> expected = reference(g, dy);
    std::vector<T> ones(expected.size(), T(77));
    const int64_t part = rows * row_points(g);
    for (int64_t first = 0; first < g.out_points(); first += part) {
        const xconv::Interval places{first, std::min(first + part, g.out_points())};
        const int64_t y = g.out_channels * places.length();
        std::vector<T> plain(static_cast<size_t>(columns * y));
        std::vector<T> out(plain.size());
        const xconv::PlacesOfY in(g, places, dy.data());
        ops.combine(g.dtype, coefficients, in.rows, in.columns, {plain.data(), columns, y, y});
        ops.combine_and_sum(g, places, coefficients, dy.data(), {out.data(), columns, y, y},
                            ones.data());
        REQUIRE(out == plain);
    }
    REQUIRE(std::equal(ones.begin(), ones.end(), expected.begin(),
                       [](T a, double b) { return static_cast<double>(a) == b; }));
}

/// Every variant, with and without matrix units, on one thread and on several.
std::vector<ProbeOps> all_ops()
{
    std::vector<ProbeOps> list;
    for (const SimdVariant &variant : xconv::cpu::simd_variants()) {
        for (const int threads : {1, 3}) {
            if (variant.runs_here()) {
                list.push_back({threads, &variant, false});
                list.push_back({threads, &variant, xconv::cpu::signs::available()});
            }
        }
    }
    return list;
}

/// Means are exact for whole numbers, and the projection is what it is without them.
template <class In>
void check_projected_means(const ProbeOps &ops, int64_t rows, int64_t channels, int64_t length,
                           int64_t columns)
{
    using T = xconv::ComputeType<In>;
    const int64_t stride = channels * length + 3;
    const int64_t total = channels * length;
    const auto x = whole_numbers<In>(rows * stride, 5);
    const xconv::Probes probes{8, Distribution::rademacher, 37, 5};
    std::vector<T> means(static_cast<size_t>(rows * (channels + 1)), T(77));
    const auto project = [&](const xconv::ChannelMeans *wanted) {
        std::vector<T> out(static_cast<size_t>(rows * columns));
        const int64_t bytes = xconv::cpu::project_workspace(dtype_of<In>, rows, total, columns,
                                                            wanted == nullptr ? 0 : length);
        std::vector<uint8_t> workspace(static_cast<size_t>(bytes), 0xFF); // NaN
        ops.project(dtype_of<In>, probes, {x.data(), rows, total, stride},
                    {out.data(), rows, columns, columns}, wanted, workspace.data());
        return out;
    };
    const xconv::ChannelMeans wanted{length, {means.data(), rows, channels, channels + 1}};
    INFO(ops.simd->name << ", " << ops.threads << " threads: " << rows << " rows of " << channels
                        << " channels of " << length);
    REQUIRE(project(&wanted) == project(nullptr));
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t c = 0; c < channels; ++c) {
            double sum = 0;
            for (int64_t p = 0; p < length; ++p) {
                sum += static_cast<double>(
                    static_cast<T>(x[static_cast<size_t>(i * stride + c * length + p)]));
            }
            REQUIRE(means[static_cast<size_t>(i * (channels + 1) + c)] ==
                    static_cast<T>(sum / static_cast<double>(length)));
        }
        REQUIRE(means[static_cast<size_t>(i * (channels + 1) + channels)] == T(77));
    }
}

} // namespace

TEMPLATE_TEST_CASE("the filter of ones is exact for every geometry", "[deflation]", float, double,
                   Float16, BFloat16)
{
    for (const SimdVariant &variant : variants()) {
        for (const Axis &h : axes) {
            for (const Axis &w : axes) {
                const Axis &d = h.kernel == 4 ? axes[0] : flat; // some in three dimensions
                const ConvGeometry g = geometry(dtype_of<TestType>, d, h, w);
                INFO(g.describe());
                check_ones(variant, g, whole_numbers<TestType>(g.y_count(), 3));
            }
        }
    }
}

TEMPLATE_TEST_CASE("the filter of ones reads nothing behind small images and long lines",
                   "[deflation]", float, double, Float16, BFloat16)
{
    for (const SimdVariant &variant : variants()) {
        for (const int64_t width : {1, 2, 3, 5, 7, 9, 15, 17, 33, 513, 519, 1037}) {
            for (const int64_t batch : {1, 2, 3, 17}) {
                for (const int64_t channels : {1, 2}) {
                    const Axis lines{channels, 3, 1, 1, 1, 1};
                    ConvGeometry g =
                        geometry(dtype_of<TestType>, flat, lines, {width, 3, 1, 1, 1, 1});
                    g.batch = batch;
                    g.out_channels = channels;
                    g.groups = 1;
                    INFO(g.describe());
                    check_ones(variant, g, whole_numbers<TestType>(g.y_count(), 9));
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("combining dy leaves its filter of ones behind", "[deflation]", float, double,
                   Float16, BFloat16)
{
    constexpr Axis wide{600, 3, 1, 1, 1, 1}; // lines longer than a tile
    for (const ProbeOps &ops : all_ops()) {
        for (const auto &[h, w] : {std::pair{axes[0], axes[0]},
                                   {axes[0], axes[1]},
                                   {axes[3], axes[4]},
                                   {axes[7], axes[0]},
                                   {axes[5], wide},
                                   {flat, wide},
                                   {flat, axes[6]}}) {
            for (const int64_t columns : {3, 8, 40}) {
                ConvGeometry g = geometry(dtype_of<TestType>, columns == 8 ? axes[0] : flat, h, w);
                g.batch = columns == 3 ? 21 : columns == 8 ? 5 : 16;
                INFO(ops.simd->name << ", " << columns << " columns: " << g.describe());
                const int64_t rows = g.out_points() / row_points(g);
                check_combined<TestType>(ops, g, columns, rows);
                check_combined<TestType>(ops, g, columns, rows / 2 + 1);
            }
        }
    }
}

TEST_CASE("a number that is not finite stays in the sums it belongs to", "[deflation]")
{
    const ConvGeometry g = geometry(Dtype::f32, flat, axes[0], axes[1]);
    for (const SimdVariant &variant : variants()) {
        for (const float bad :
             {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
            // Corners, an edge, the middle.
            for (const int64_t at :
                 {int64_t{0}, g.out[2] - 1, g.out[2], 3 * g.out[2] + 7, g.out_points() - 1}) {
                auto dy = whole_numbers<float>(g.y_count(), 4);
                dy[static_cast<size_t>(at)] = bad;
                check_ones(variant, g, dy);
            }
        }
    }
}

TEMPLATE_TEST_CASE("projecting leaves the means of channels behind", "[deflation]", float, double,
                   Float16, BFloat16)
{
    struct Shape {
        int64_t rows, channels, length, columns;
    };
    // Channels within a tile, across tiles, across what one thread sums, with the ends of
    // both at one place, of whole vectors and nearly; more columns than are taken at once;
    // fewer shares of the rows than threads.
    constexpr Shape shapes[] = {
        {1, 1, 1, 1},      {3, 700, 7, 2},  {17, 5, 49, 9},    {16, 3, 256, 70}, {20, 9, 1000, 8},
        {2, 4, 4096, 20},  {5, 3, 8192, 3}, {33, 2, 9001, 17}, {300, 1, 63, 8},  {600, 40, 30, 129},
        {60, 2, 1000, 64}, {5, 3, 784, 9},  {100, 5, 208, 3},  {7, 3, 200, 8}};
    for (const ProbeOps &ops : all_ops()) {
        for (const Shape &shape : shapes) {
            check_projected_means<TestType>(ops, shape.rows, shape.channels, shape.length,
                                            shape.columns);
        }
    }
}

TEMPLATE_TEST_CASE("means of probes are those of their entries", "[deflation]", float, double)
{
    using T = TestType;
    for (const SimdVariant &variant : variants()) {
        for (const Distribution distribution :
             {Distribution::rademacher, Distribution::gaussian, Distribution::uniform}) {
            for (const int64_t length : {1, 5, 49, 128, 300, 2500}) {
                for (const int64_t gap : {int64_t{0}, int64_t{9}}) {
                    const xconv::Probes probes{8, distribution, 37, 5};
                    const int64_t runs = 4;
                    const int64_t columns = 11;
                    std::vector<T> means(static_cast<size_t>(runs * columns));
                    xconv::cpu::ProbeOps{2, &variant, false}.probe_means(
                        dtype_of<T>, probes, {runs, length, length + gap},
                        {means.data(), runs, columns, columns});
                    for (int64_t i = 0; i < runs * columns; ++i) {
                        const int64_t first = probes.row + i / columns * (length + gap);
                        double sum = 0;
                        for (int64_t p = 0; p < length; ++p) {
                            sum += static_cast<double>(xconv::probe_entry<T>(
                                probes.seed, distribution, first + p, probes.column + i % columns));
                        }
                        const auto got = static_cast<double>(means[static_cast<size_t>(i)]);
                        const double expected = sum / static_cast<double>(length);
                        // Signs are exact; others are off by rounding, of entries below 7
                        // and partial sums below 7 * length.
                        const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
                        const double tolerance =
                            distribution == Distribution::rademacher ? eps : 7 * 128 * eps;
                        INFO(variant.name << ", " << length << " places, mean " << i);
                        REQUIRE(std::abs(got - expected) <= tolerance);
                    }
                }
            }
        }
    }
}
