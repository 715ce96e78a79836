// The mean of the estimates over thousands of seeds is the exact gradient: for
// every projection, distribution and kind of geometry, in both contraction
// orders. A 1 % scale error or a wrong border is rejected; the last tests show it.
#include <cmath>
#include <map>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "sampling.hpp"
#include "statistics.hpp"
#include "support.hpp"
#include "unbiased.hpp"

using oracle::Conv;
using oracle::product;
using oracle::Tensor;
using sampling::Data;
using statistics::MeanCheck;
using statistics::ScalePool;
using statistics::Verdict;
using support::Random;
using support::Scheme;
using unbiased::draw_count;
using unbiased::judge;
using unbiased::visible;

namespace {

/// All distributions of a projection.
std::vector<Scheme> schemes(xconv_projection projection, int64_t probes)
{
    std::vector<Scheme> list;
    for (const xconv_distribution distribution : estimator::distributions) {
        list.push_back({projection, distribution, probes});
    }
    return list;
}

} // namespace

TEST_CASE("dense estimates are unbiased", "[unbiased]")
{
    unbiased::require(schemes(XCONV_DENSE, 16), 0.01);
}

TEST_CASE("independent estimates are unbiased", "[unbiased]")
{
    unbiased::require(schemes(XCONV_INDEPENDENT, 8), 0.01);
}

TEST_CASE("orthogonal estimates are unbiased, several probes a channel", "[unbiased]")
{
    unbiased::require(schemes(XCONV_ORTHOGONAL, 17), 0.01); // not a multiple of any channel count
}

TEST_CASE("orthogonal estimates are unbiased, several channels a probe", "[unbiased]")
{
    unbiased::require(schemes(XCONV_ORTHOGONAL, 1), 0.03); // a single probe: much more noise
}

TEST_CASE("the check finds a scale error of 1 percent", "[unbiased][teeth]")
{
    for (const xconv_projection projection : estimator::projections) {
        const Scheme scheme{projection, XCONV_RADEMACHER, 16};
        for (const double factor : {1 + visible(0.01), 1 - visible(0.01)}) {
            std::map<xconv_contraction, ScalePool> pools;
            uint64_t first_seed = 0;
            for (const cases::Named &named : cases::statistical_convs()) {
                for (const auto &[order, verdict] : judge(named.conv, scheme, first_seed, factor)) {
                    pools[order].add(verdict);
                }
                first_seed += uint64_t{1} << 32;
            }
            REQUIRE(pools.size() == 2);
            for (const auto &[order, pool] : pools) {
                INFO(scheme.describe()
                     << " times " << factor << ", order " << order << ": " << pool.describe());
                CHECK_FALSE(pool.accepts());
            }
        }
    }
}

namespace {

/// x-hat = z zᵀ x / r for signs z of the test's own making.
Tensor random_reconstruction(const Conv &conv, const Tensor &x, int64_t probes, Random &random)
{
    const auto sample = static_cast<size_t>(conv.x_count() / conv.batch);
    Tensor x_hat(x.size(), 0.0);
    Tensor z(sample);
    for (int64_t j = 0; j < probes; ++j) {
        for (double &sign : z) {
            sign = random.coin() ? 1 : -1;
        }
        for (size_t at = 0; at < x.size(); at += sample) {
            double kept = 0;
            for (size_t p = 0; p < sample; ++p) {
                kept += z[p] * x[at + p];
            }
            for (size_t p = 0; p < sample; ++p) {
                x_hat[at + p] += z[p] * kept / static_cast<double>(probes);
            }
        }
    }
    return x_hat;
}

/// The filter gradient with the borders of the paper's published code: the
/// flattened image is rolled, so what leaves on one side enters on the other.
Tensor circular_filter_gradient(const Conv &conv, const Tensor &x, const Tensor &dy)
{
    const int64_t points = product(conv.in);
    Tensor dw;
    for (int64_t co = 0; co < conv.out_channels; ++co) {
        for (int64_t ci = 0; ci < conv.in_channels; ++ci) {
            for (int64_t tap = 0; tap < product(conv.kernel); ++tap) {
                const int64_t row = tap / conv.kernel[2] - conv.pad_begin[1];
                const int64_t column = tap % conv.kernel[2] - conv.pad_begin[2];
                const int64_t shift = row * conv.in[2] + column + points;
                double sum = 0;
                for (int64_t b = 0; b < conv.batch; ++b) {
                    const int64_t x0 = (b * conv.in_channels + ci) * points;
                    const int64_t y0 = (b * conv.out_channels + co) * points;
                    for (int64_t p = 0; p < points; ++p) {
                        sum += x[static_cast<size_t>(x0 + (p + shift) % points)] *
                               dy[static_cast<size_t>(y0 + p)];
                    }
                }
                dw.push_back(sum);
            }
        }
    }
    return dw;
}

template <class Gradient> Verdict judge_own_estimator(const Conv &conv, const Gradient &gradient)
{
    constexpr int64_t probes = 16;
    const Data data(conv, 77);
    Random random(123);
    MeanCheck check(data.dw);
    for (int64_t i = 0; i < draw_count(); ++i) {
        check.add(gradient(conv, random_reconstruction(conv, data.x, probes, random), data.dy));
    }
    return check.verdict();
}

} // namespace

TEST_CASE("the check finds circular borders", "[unbiased][teeth]")
{
    const Conv conv = cases::conv2d(32, 2, 2, 5, 3, 1);
    const Verdict right = judge_own_estimator(conv, oracle::backward_filter);
    INFO("right borders: " << right.describe());
    CHECK(right.accepts());
    const Verdict wrong = judge_own_estimator(conv, circular_filter_gradient);
    INFO("circular borders: " << wrong.describe());
    CHECK_FALSE(wrong.accepts());
    CHECK(wrong.worst_z > wrong.worst_z_bound);
    CHECK(wrong.mean_square_z > wrong.mean_square_bound);
}

TEST_CASE("the check finds NaN", "[unbiased][teeth]")
{
    MeanCheck check({1, 2});
    Random random(1);
    for (int i = 0; i < 100; ++i) {
        check.add(Tensor{1 + random.value(), i == 50 ? std::nan("") : 2 + random.value()});
    }
    CHECK_FALSE(check.verdict().accepts());
}
