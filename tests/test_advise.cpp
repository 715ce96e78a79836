// xconv_advise: its promises about limits, the front and the recommendation.
#include <algorithm>
#include <cmath>

#include "advising.hpp"
#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "sampling.hpp"
#include "support.hpp"

using advising::advise;
using advising::Result;
using advising::unhurried;
using oracle::Conv;
using oracle::Tensor;
using sampling::Data;
using support::BF16;
using support::F16;

namespace {

/// By the definition, pair by pair: something else has as little of both, and less
/// of one unless it comes first.
bool beaten(size_t index, const std::vector<xconv_advice> &schemes)
{
    const xconv_advice &own = schemes[index];
    for (size_t i = 0; i < schemes.size(); ++i) {
        const xconv_advice &other = schemes[i];
        const bool as_good =
            other.kept_bytes <= own.kept_bytes && other.relative_variance <= own.relative_variance;
        const bool better =
            other.kept_bytes < own.kept_bytes || other.relative_variance < own.relative_variance;
        if (as_good && (better || i < index)) {
            return true;
        }
    }
    return false;
}

/// What holds whatever the options.
void check_list(const Result &result)
{
    int64_t recommended = 0;
    for (size_t i = 0; i < result.schemes.size(); ++i) {
        const xconv_advice &advice = result.schemes[i];
        CHECK(advice.relative_variance >= 0);
        CHECK(advice.variance_error >= 0);
        CHECK(advice.milliseconds > 0);
        CHECK((i == 0 || result.schemes[i - 1].kept_bytes <= advice.kept_bytes));
        CHECK((advice.on_front == 0) == beaten(i, result.schemes));
        CHECK(advice.recommended <= advice.on_front);
        recommended += advice.recommended;
    }
    CHECK(recommended == (result.schemes.empty() ? 0 : 1));
}

const xconv_advice &recommended(const Result &result)
{
    const auto found = std::find_if(result.schemes.begin(), result.schemes.end(),
                                    [](const xconv_advice &a) { return a.recommended == 1; });
    REQUIRE(found != result.schemes.end());
    return *found;
}

} // namespace
TEST_CASE("budget and noise limits of advice are kept", "[advise]")
{
    const Conv conv = cases::conv2d(8, 4, 4, 12, 3, 1);
    const Data data(conv, 3);
    const Result all = advise<float>(conv, data.x, data.dy, unhurried());
    check_list(all);
    CHECK(recommended(all).relative_variance <= all.batch_noise);
    for (const xconv_advice &advice : all.schemes) {
        if (advice.on_front == 1 && advice.relative_variance <= all.batch_noise) {
            CHECK(advice.recommended == 1); // the first of them
            break;
        }
    }

    xconv_advise_options options = unhurried();
    options.budget_bytes = all.schemes[all.schemes.size() / 2].kept_bytes;
    const Result small = advise<float>(conv, data.x, data.dy, options);
    check_list(small);
    CHECK(small.schemes.back().kept_bytes == options.budget_bytes);
    const auto within =
        std::count_if(all.schemes.begin(), all.schemes.end(),
                      [&](const xconv_advice &a) { return a.kept_bytes <= options.budget_bytes; });
    CHECK(small.schemes.size() == static_cast<size_t>(within));
    for (const xconv_advice &advice : small.schemes) {
        CHECK(advice.relative_variance >= recommended(small).relative_variance);
    }

    options = unhurried();
    options.max_noise = all.schemes[all.schemes.size() / 2].relative_variance;
    const Result quiet = advise<float>(conv, data.x, data.dy, options);
    check_list(quiet);
    CHECK(quiet.schemes.size() < all.schemes.size());
    CHECK(recommended(quiet).kept_bytes == quiet.schemes.front().kept_bytes);
    for (const xconv_advice &advice : quiet.schemes) {
        CHECK(advice.relative_variance <= options.max_noise);
    }
}

TEST_CASE("with a budget and a noise limit, the fewest bytes within both", "[advise]")
{
    const Conv conv = cases::conv2d(8, 4, 4, 12, 3, 1);
    const Data data(conv, 3);
    const Result all = advise<float>(conv, data.x, data.dy, unhurried());
    std::vector<xconv_advice> front;
    std::copy_if(all.schemes.begin(), all.schemes.end(), std::back_inserter(front),
                 [](const xconv_advice &a) { return a.on_front == 1; });
    REQUIRE(front.size() >= 5);
    const size_t middle = front.size() / 2;
    xconv_advise_options options = unhurried();
    options.budget_bytes = front[middle + 1].kept_bytes;
    options.max_noise = front[middle - 1].relative_variance;
    const Result both = advise<float>(conv, data.x, data.dy, options);
    check_list(both);
    CHECK(recommended(both).kept_bytes == front[middle - 1].kept_bytes);
}

TEST_CASE("advice looks at reductions from a quarter on", "[advise]")
{
    const Conv conv = cases::conv2d(4, 4, 2, 12, 3, 1); // 144 places
    const Data data(conv, 3);
    const Result all = advise<float>(conv, data.x, data.dy, unhurried());
    for (const xconv_projection projection : estimator::projections) {
        std::vector<int64_t> probes;
        for (const xconv_advice &advice : all.schemes) {
            const xconv_scheme_desc &s = advice.scheme;
            if (s.projection == projection && s.bits == 0 && s.deflate_mean == 0) {
                probes.push_back(s.probes);
            }
        }
        std::sort(probes.begin(), probes.end());
        INFO("projection " << projection);
        CHECK(probes == (projection == XCONV_INDEPENDENT
                             ? std::vector<int64_t>{1, 2, 4, 9, 18, 36}
                             : std::vector<int64_t>{1, 2, 4, 9, 18, 36, 72, 144}));
    }
}

TEST_CASE("advice looks at every choice", "[advise]")
{
    const Conv conv = cases::conv2d(4, 4, 2, 12, 3, 1);
    const Data data(conv, 3);
    const Result all = advise<float>(conv, data.x, data.dy, unhurried());
    const auto some = [&](auto &&holds) {
        return std::any_of(all.schemes.begin(), all.schemes.end(),
                           [&](const xconv_advice &a) { return holds(a.scheme); });
    };
    for (const auto projection :
         {XCONV_IDENTITY, XCONV_DENSE, XCONV_ORTHOGONAL, XCONV_INDEPENDENT}) {
        for (const int bits : {0, 2, 4}) {
            for (const int mean : {0, 1}) {
                INFO(projection << ", " << bits << " bits, mean " << mean);
                CHECK(some([&](const xconv_scheme_desc &s) {
                          return s.projection == projection && s.bits == bits &&
                                 s.deflate_mean == mean;
                      }) == !(projection == XCONV_IDENTITY && mean == 1));
            }
        }
    }
}

TEMPLATE_TEST_CASE("advice is to be had for every geometry", "[advise]", float, double, F16, BF16)
{
    support::Random random(31);
    std::vector<Conv> convs = cases::special_convs();
    for (int64_t i = 0; i < support::draws(40); ++i) {
        convs.push_back(cases::draw_conv(random));
    }
    for (const Conv &conv : convs) {
        INFO(conv.describe());
        const Data data(conv, 9);
        const Result result = advise<TestType>(conv, data.x, data.dy, unhurried());
        check_list(result);
        REQUIRE(!result.schemes.empty());
        const support::Context context(1);
        const xconv_conv_desc desc = support::describe(conv, support::dtype_of<TestType>);
        for (const xconv_advice &advice : result.schemes) {
            xconv_plan *plan = nullptr;
            int64_t kept = 0;
            REQUIRE_OK(xconv_plan_create(context.get(), &desc, &advice.scheme, nullptr, &plan));
            REQUIRE_OK(xconv_plan_query(plan, XCONV_QUERY_SKETCH_BYTES, &kept));
            CHECK(kept == advice.kept_bytes);
            const bool exact =
                advice.scheme.projection == XCONV_IDENTITY && advice.scheme.bits == 0;
            const auto x_bytes = conv.x_count() * static_cast<int64_t>(sizeof(TestType));
            CHECK((exact ? kept == x_bytes : kept < x_bytes));
            xconv_plan_destroy(plan);
        }
    }
}

TEST_CASE("advice leaves out what a huge volume has too many numbers for", "[advise]")
{
    Conv conv = cases::conv2d(1, 8, 8, 512, 3, 1);
    conv.rank = 3;
    conv.in[0] = 1024;
    conv.kernel[0] = 3;
    conv.pad_begin[0] = conv.pad_end[0] = 1;
    const support::Context context(1);
    const xconv_conv_desc desc = support::describe(conv, XCONV_F32);
    int64_t bytes = 0;
    REQUIRE_OK(xconv_advise_query(context.get(), &desc, nullptr, XCONV_ADVISE_WORKSPACE, &bytes));
    CHECK(bytes > 0);
}

TEST_CASE("the same seed gives the same advice, another one another", "[advise]")
{
    const Conv conv = cases::conv2d(6, 3, 4, 9, 3, 1);
    const Data data(conv, 4);
    xconv_advise_options options = unhurried();
    const Result first = advise<float>(conv, data.x, data.dy, options, 3);
    const Result again = advise<float>(conv, data.x, data.dy, options, 3);
    REQUIRE(first.schemes.size() == again.schemes.size());
    CHECK(first.batch_noise == again.batch_noise);
    for (size_t i = 0; i < first.schemes.size(); ++i) {
        CHECK(first.schemes[i].relative_variance == again.schemes[i].relative_variance);
        CHECK(first.schemes[i].variance_error == again.schemes[i].variance_error);
        CHECK(std::memcmp(&first.schemes[i].scheme, &again.schemes[i].scheme,
                          sizeof(xconv_scheme_desc)) == 0);
    }
    options.seed = 1;
    const Result other = advise<float>(conv, data.x, data.dy, options, 3);
    CHECK(other.schemes.front().relative_variance != first.schemes.front().relative_variance);
}

TEST_CASE("advice on nothing, and on what is no number", "[advise]")
{
    const Conv conv = cases::conv2d(4, 2, 2, 5, 3, 1);
    Data data(conv, 4);
    const Tensor zeros(data.dy.size(), 0.0);
    const Result nothing = advise<float>(conv, data.x, zeros, unhurried());
    check_list(nothing);
    CHECK(nothing.batch_noise == 0);
    for (const xconv_advice &advice : nothing.schemes) {
        CHECK(advice.relative_variance == 0);
    }

    const support::Context context;
    const xconv_conv_desc desc = support::describe(conv, XCONV_F64);
    std::vector<xconv_advice> entries(1000);
    std::vector<unsigned char> workspace(1 << 22);
    size_t count = 77;
    data.x[11] = std::numeric_limits<double>::quiet_NaN();
    CHECK(xconv_advise(context.get(), &desc, data.x.data(), data.dy.data(), nullptr, entries.data(),
                       sizeof(xconv_advice), entries.size(), &count, nullptr, workspace.data(),
                       workspace.size()) == XCONV_INVALID_ARGUMENT);
    CHECK(count == 77);
    data.x[11] = std::numeric_limits<double>::max(); // a norm that is infinite
    CHECK(xconv_advise(context.get(), &desc, data.x.data(), data.dy.data(), nullptr, entries.data(),
                       sizeof(xconv_advice), entries.size(), &count, nullptr, workspace.data(),
                       workspace.size()) == XCONV_INVALID_ARGUMENT);
    CHECK(count == 77);
}
