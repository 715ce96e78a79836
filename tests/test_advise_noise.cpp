// xconv_advise: its figures against the formula of the variance and plain loops over
// samples.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "advising.hpp"
#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "sampling.hpp"
#include "statistics.hpp"
#include "support.hpp"

using advising::advise;
using advising::Result;
using advising::unhurried;
using oracle::Conv;
using oracle::Tensor;
using sampling::Data;
using support::BF16;
using support::F16;
using support::rounded;

namespace {

/// No scheme at all: batch noise alone.
xconv_advise_options no_time()
{
    xconv_advise_options options = unhurried();
    options.seconds = 1e-9;
    return options;
}

double square(const Tensor &values)
{
    double sum = 0;
    for (const double value : values) {
        sum += value * value;
    }
    return sum;
}

/// What is left of data in elements of type T.
template <class T> Data data_in(const Conv &conv, uint64_t seed)
{
    Data data(conv, seed);
    data.x = rounded<T>(data.x);
    data.dy = rounded<T>(data.dy);
    data.dw = backward_filter(conv, data.x, data.dy);
    return data;
}

/// B s^2 / |dw|^2 from the gradients of single samples, by the definition.
double batch_noise_by_samples(const Conv &conv, const Data &data)
{
    Conv single = conv;
    single.batch = 1;
    const auto cut = [&](const Tensor &tensor, int64_t sample) {
        const int64_t length = static_cast<int64_t>(tensor.size()) / conv.batch;
        return Tensor(tensor.begin() + sample * length, tensor.begin() + (sample + 1) * length);
    };
    const auto batch = static_cast<double>(conv.batch);
    double deviations = 0;
    for (int64_t b = 0; b < conv.batch; ++b) {
        const Tensor own = backward_filter(single, cut(data.x, b), cut(data.dy, b));
        for (size_t i = 0; i < own.size(); ++i) {
            const double off = own[i] - data.dw[i] / batch;
            deviations += off * off;
        }
    }
    return batch * deviations / (batch - 1) / square(data.dw);
}

} // namespace

TEMPLATE_TEST_CASE("advised variances are those of the formula", "[advise]", double, F16, BF16)
{
    constexpr bool is_double = std::is_same_v<TestType, double>;
    const Conv conv = cases::conv2d(3, 3, 2, 6, 3, 1);
    const Data data = data_in<TestType>(conv, 8);
    xconv_advise_options options = unhurried();
    options.draws = static_cast<int32_t>(support::draws(is_double ? 1500 : 400));
    int64_t probing = 0;
    for (const xconv_advice &advice : advise<TestType>(conv, data.x, data.dy, options).schemes) {
        const xconv_scheme_desc &desc = advice.scheme;
        if (desc.projection == XCONV_IDENTITY && desc.bits == 0) {
            CHECK(advice.relative_variance < (is_double ? 1e-20 : 1e-10)); // sums in Float32
        }
        if (desc.projection == XCONV_IDENTITY || desc.bits != 0 || desc.deflate_mean != 0) {
            continue; // no formula
        }
        const support::Scheme scheme{desc.projection, desc.distribution, desc.probes};
        const auto pattern = estimator::SketchMatrix::read<TestType>(conv, scheme, 1);
        const Tensor variances = variance(conv, scheme, pattern, data.x, data.dy);
        double expected = 0;
        for (const double value : variances) {
            expected += value / square(data.dw);
        }
        INFO(scheme.describe() << ": formula " << expected << ", advised "
                               << advice.relative_variance << " +- " << advice.variance_error);
        CHECK(std::abs(advice.relative_variance - expected) <= 5 * advice.variance_error);
        CHECK(advice.variance_error <=
              0.1 * expected * std::sqrt(1500.0 / static_cast<double>(options.draws)));
        ++probing;
    }
    CHECK(probing >= 9);
}

TEST_CASE("the advised noise of a small batch is that of its samples", "[advise]")
{
    for (auto &[name, conv] : cases::statistical_convs()) {
        for (const int64_t batch : {2, 7, 32}) {
            conv.batch = batch;
            const Data data(conv, 5);
            INFO(name << ", batch " << batch);
            const Result result = advise<double>(conv, data.x, data.dy, no_time());
            CHECK(result.schemes.empty());
            const double expected = batch_noise_by_samples(conv, data);
            CHECK(std::abs(result.batch_noise - expected) <= 1e-10 * expected);
        }
    }
    const Conv single = cases::conv2d(1, 2, 2, 5, 3, 1);
    const Data data(single, 5);
    CHECK(std::isnan(advise<double>(single, data.x, data.dy, no_time()).batch_noise));
}

TEST_CASE("the advised noise of a large batch has that mean", "[advise]")
{
    for (const int64_t batch : {33, 45, 64, 90}) {
        statistics::Sample difference;
        const Conv conv = cases::conv2d(batch, 2, 2, 4, 3, 1);
        for (uint64_t i = 0; i < 300; ++i) {
            const Data data(conv, 100 + i);
            const double own = batch_noise_by_samples(conv, data);
            difference.add(advise<double>(conv, data.x, data.dy, no_time()).batch_noise / own);
        }
        INFO("batch " << batch << ": " << difference.mean() << " +- "
                      << difference.standard_error());
        CHECK(std::abs(difference.z(1)) <= 5);
        CHECK(difference.standard_error() < 0.01);
    }
}

TEST_CASE("the standard error of an advised variance is that of its spread", "[advise]")
{
    const Conv conv = cases::conv2d(2, 2, 2, 4, 3, 1);
    const Data data(conv, 6);
    xconv_advise_options options = unhurried(); // two draws
    const size_t count = advise<double>(conv, data.x, data.dy, options).schemes.size();
    std::vector<statistics::Sample> values(count);
    std::vector<statistics::Sample> squared_errors(count);
    for (uint64_t seed = 0; seed < 400; ++seed) {
        options.seed = seed;
        const Result result = advise<double>(conv, data.x, data.dy, options);
        REQUIRE(result.schemes.size() == count);
        std::vector<xconv_advice> schemes = result.schemes; // in an order without noise
        std::sort(schemes.begin(), schemes.end(), [](const auto &a, const auto &b) {
            return std::memcmp(&a.scheme, &b.scheme, sizeof a.scheme) < 0;
        });
        for (size_t i = 0; i < count; ++i) {
            values[i].add(schemes[i].relative_variance);
            squared_errors[i].add(schemes[i].variance_error * schemes[i].variance_error);
        }
    }
    double ratio = 0;
    int64_t noisy = 0;
    for (size_t i = 0; i < count; ++i) {
        if (squared_errors[i].mean() > 1e-20) {
            const double spread = values[i].standard_error() * values[i].standard_error() * 400;
            ratio += squared_errors[i].mean() / spread;
            ++noisy;
        }
    }
    INFO(noisy << " schemes: " << ratio / static_cast<double>(noisy));
    CHECK(std::abs(ratio / static_cast<double>(noisy) - 1) < 0.15);
}

TEST_CASE("advice draws until a variance is known to 2 percent, or 8 times", "[advise]")
{
    // What each number of draws says is known; one of these must be what is told.
    const Conv conv = cases::conv2d(6, 3, 4, 9, 3, 1);
    const Data data(conv, 7);
    xconv_advise_options options = unhurried();
    const auto find = [](const Result &result, const xconv_advice &like) {
        return *std::find_if(result.schemes.begin(), result.schemes.end(),
                             [&](const xconv_advice &a) {
                                 return std::memcmp(&a.scheme, &like.scheme, sizeof a.scheme) == 0;
                             });
    };
    std::vector<Result> results;
    for (options.draws = 2; options.draws <= 8; ++options.draws) {
        results.push_back(advise<double>(conv, data.x, data.dy, options));
    }
    options.draws = 0;
    std::vector<int64_t> ended(results.size(), 0);
    for (const xconv_advice &told : advise<double>(conv, data.x, data.dy, options).schemes) {
        size_t i = 0;
        xconv_advice expected = find(results[0], told);
        while (i + 1 < results.size() &&
               expected.variance_error > 0.02 * expected.relative_variance) {
            expected = find(results[++i], told);
        }
        ++ended[i];
        CHECK(told.relative_variance == expected.relative_variance);
        CHECK(told.variance_error == expected.variance_error);
    }
    CHECK(ended.front() > 0);
    CHECK(ended.back() > 0);
}
