// xconv_advise: its figures against the formula of the variance and plain loops
// over samples, and its promises about limits, the front and the recommendation.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "sampling.hpp"
#include "statistics.hpp"
#include "support.hpp"

using oracle::Conv;
using oracle::Tensor;
using sampling::Data;
using support::BF16;
using support::F16;
using support::Guarded;
using support::rounded;
using support::to;

namespace {

xconv_advise_options unhurried()
{
    xconv_advise_options options = XCONV_ADVISE_OPTIONS_INIT;
    options.seconds = 1e9;
    options.draws = 2;
    return options;
}

/// No scheme at all: batch noise alone.
xconv_advise_options no_time()
{
    xconv_advise_options options = unhurried();
    options.seconds = 1e-9;
    return options;
}

struct Result {
    std::vector<xconv_advice> schemes;
    double batch_noise = 0;
};

template <class T>
Result advise(const Conv &conv, const Tensor &x, const Tensor &dy,
              const xconv_advise_options &options, int threads = 1)
{
    const support::Context context(threads);
    const xconv_conv_desc desc = support::describe(conv, support::dtype_of<T>);
    int64_t capacity = 0;
    int64_t bytes = 0;
    REQUIRE_OK(
        xconv_advise_query(context.get(), &desc, &options, XCONV_ADVISE_CAPACITY, &capacity));
    REQUIRE_OK(xconv_advise_query(context.get(), &desc, &options, XCONV_ADVISE_WORKSPACE, &bytes));
    Guarded<unsigned char> workspace(bytes);
    Guarded<unsigned char> entries(capacity * static_cast<int64_t>(sizeof(xconv_advice)));
    const std::vector<T> x_typed = to<T>(x);
    const std::vector<T> dy_typed = to<T>(dy);
    size_t count = 0;
    Result result;
    REQUIRE_OK(xconv_advise(context.get(), &desc, x_typed.data(), dy_typed.data(), &options,
                            reinterpret_cast<xconv_advice *>(entries.data()), sizeof(xconv_advice),
                            static_cast<size_t>(capacity), &count, &result.batch_noise,
                            workspace.data(), workspace.bytes()));
    REQUIRE(workspace.guard_intact());
    REQUIRE(count <= static_cast<size_t>(capacity));
    const std::vector<unsigned char> raw = entries.take();
    result.schemes.resize(count);
    if (count != 0) {
        std::memcpy(result.schemes.data(), raw.data(), count * sizeof(xconv_advice));
    }
    return result;
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
