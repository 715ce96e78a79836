// Plans: queries, descriptions, lifetime, workspace bounds, sizes that overflow.
#include <algorithm>
#include <cstring>
#include <ctime>
#include <limits>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"

using oracle::Conv;
using oracle::Tensor;
using support::Context;
using support::Layer;
using support::Plan;
using support::Random;
using support::Scheme;

namespace {

constexpr xconv_query workspaces[] = {XCONV_QUERY_WORKSPACE_FORWARD, XCONV_QUERY_WORKSPACE_SKETCH,
                                      XCONV_QUERY_WORKSPACE_BACKWARD_FILTER,
                                      XCONV_QUERY_WORKSPACE_BACKWARD_FILTER_EXACT,
                                      XCONV_QUERY_WORKSPACE_BACKWARD_DATA};

std::string text_of(const Plan &plan)
{
    size_t length = 0;
    REQUIRE_OK(xconv_plan_describe(plan.get(), nullptr, 0, &length));
    std::string text(length + 1, '#');
    REQUIRE_OK(xconv_plan_describe(plan.get(), text.data(), text.size(), nullptr));
    REQUIRE(text.back() == '\0');
    text.pop_back();
    return text;
}

} // namespace

TEST_CASE("plan queries give the sizes of the tensors", "[plan]")
{
    const Context context(1);
    Random random(77);
    for (int i = 0; i < 50; ++i) {
        const Conv conv = cases::draw_conv(random);
        const xconv_dtype dtype = i % 2 == 0 ? XCONV_F32 : XCONV_F64;
        const int64_t element = i % 2 == 0 ? 4 : 8;
        INFO(conv.describe());
        const Plan plan(context, conv, dtype, {XCONV_DENSE, XCONV_GAUSSIAN, 3});
        CHECK(plan.query(XCONV_QUERY_X_BYTES) == conv.x_count() * element);
        CHECK(plan.query(XCONV_QUERY_Y_BYTES) == conv.y_count() * element);
        CHECK(plan.query(XCONV_QUERY_W_BYTES) == conv.w_count() * element);
        CHECK(plan.query(XCONV_QUERY_BIAS_BYTES) == conv.out_channels * element);
        const oracle::Axes out = conv.out();
        for (int axis = 0; axis < 3; ++axis) {
            CHECK(plan.query(XCONV_QUERY_OUT_SIZE_0 + axis) ==
                  (axis < conv.rank ? out[static_cast<size_t>(3 - conv.rank + axis)] : 1));
        }
        int64_t largest = 0;
        for (const xconv_query query : workspaces) {
            CHECK(plan.query(query) >= 0);
            largest = std::max(largest, plan.query(query));
        }
        CHECK(plan.query(XCONV_QUERY_WORKSPACE_MAX) == largest);
    }
}

TEST_CASE("the order of contraction can be forced and is chosen otherwise", "[plan]")
{
    const Context context(1);
    for (const xconv_projection projection : estimator::projections) {
        const auto chosen = [&](const Conv &conv, int64_t probes, xconv_contraction order) {
            return Plan(context, conv, XCONV_F32, {projection, XCONV_RADEMACHER, probes},
                        {order, 0})
                .query(XCONV_QUERY_CONTRACTION);
        };
        const Conv usual = cases::conv2d(64, 32, 32, 32, 3, 1);
        CHECK(chosen(usual, 8, XCONV_DY_FIRST) == XCONV_DY_FIRST);
        CHECK(chosen(usual, 8, XCONV_X_FIRST) == XCONV_X_FIRST);
        const auto automatic = chosen(usual, 8, XCONV_CONTRACTION_AUTO);
        CHECK((automatic == XCONV_DY_FIRST || automatic == XCONV_X_FIRST));
    }
    // Far more samples than probes, and far fewer: no cost model can miss these.
    const auto automatic = [&](xconv_projection projection, const Conv &conv, int64_t probes) {
        return Plan(context, conv, XCONV_F32, {projection, XCONV_RADEMACHER, probes})
            .query(XCONV_QUERY_CONTRACTION);
    };
    for (const xconv_projection projection : {XCONV_DENSE, XCONV_ORTHOGONAL}) {
        INFO("projection " << projection);
        CHECK(automatic(projection, cases::conv2d(256, 32, 32, 32, 3, 1), 1) == XCONV_DY_FIRST);
        CHECK(automatic(projection, cases::conv2d(1, 32, 32, 32, 3, 1), 256) == XCONV_X_FIRST);
    }
    // Probes take the place of input channels here.
    CHECK(automatic(XCONV_INDEPENDENT, cases::conv2d(8, 256, 8, 32, 3, 1), 1) == XCONV_DY_FIRST);
    CHECK(automatic(XCONV_INDEPENDENT, cases::conv2d(8, 1, 64, 32, 3, 1), 512) == XCONV_X_FIRST);
}

TEST_CASE("a plan describes itself into any buffer", "[plan]")
{
    const Context context(1);
    const Plan plan(context, cases::conv2d(2, 3, 4, 8, 3, 1), XCONV_F32,
                    {XCONV_DENSE, XCONV_RADEMACHER, 5});
    const std::string text = text_of(plan);
    CHECK(text.find("dense") != std::string::npos);
    CHECK(text.size() > 40);
    char buffer[] = "????????????";
    size_t length = 0;
    REQUIRE_OK(xconv_plan_describe(plan.get(), buffer, 6, &length));
    CHECK(length == text.size());
    CHECK(std::string(buffer) == text.substr(0, 5));
    CHECK(std::string(buffer + 6) == "??????");
}

TEST_CASE("null scheme and options are the exact defaults", "[plan]")
{
    const Context context(1);
    const xconv_conv_desc desc = support::describe(cases::conv2d(2, 3, 4, 8, 3, 1), XCONV_F32);
    xconv_plan *plan = nullptr;
    REQUIRE_OK(xconv_plan_create(context.get(), &desc, nullptr, nullptr, &plan));
    int64_t kept = 0;
    int64_t x = 0;
    REQUIRE_OK(xconv_plan_query(plan, XCONV_QUERY_SKETCH_BYTES, &kept));
    REQUIRE_OK(xconv_plan_query(plan, XCONV_QUERY_X_BYTES, &x));
    xconv_plan_destroy(plan);
    CHECK(kept == x);
    xconv_plan_destroy(nullptr);
    xconv_context_destroy(nullptr);
}

TEST_CASE("contexts tell their threads, and the default is positive", "[plan]")
{
    for (const int threads : {1, 2, 7}) {
        int32_t told = 0;
        REQUIRE_OK(xconv_context_threads(Context(threads).get(), &told));
        CHECK(told == (support::test_device() == XCONV_CPU ? threads : 1));
    }
    xconv_context *context = nullptr;
    REQUIRE_OK(xconv_context_create(nullptr, &context));
    int32_t told = 0;
    REQUIRE_OK(xconv_context_threads(context, &told));
    xconv_context_destroy(context);
    CHECK(told >= 1);
}

TEST_CASE("a plan outlives its context and runs on an equal one", "[plan]")
{
    const Conv conv = cases::conv2d(2, 3, 4, 8, 3, 1);
    Random random(1);
    const Tensor x = random.values(conv.x_count());
    const Tensor w = random.values(conv.w_count());
    auto first = std::make_unique<Context>(2);
    const Plan plan(*first, conv, XCONV_F64);
    first.reset();
    const Context second(2);
    support::Guarded<double> y(conv.y_count());
    support::Guarded<unsigned char> workspace(plan.query(XCONV_QUERY_WORKSPACE_FORWARD));
    REQUIRE_OK(xconv_forward(second.get(), plan.get(), support::OnDevice(x).data(),
                             support::OnDevice(w).data(), nullptr, y.data(), 0, nullptr, 0,
                             workspace.data(), workspace.bytes()));
    CHECK(y.take() == Layer<double>(2, conv).forward(x, w));
}

TEST_CASE("a plan made with TF32 is refused without it, and the reverse", "[plan]")
{
    const Conv conv = cases::conv2d(2, 3, 4, 8, 3, 1);
    const std::vector<float> dy(static_cast<size_t>(conv.y_count()));
    support::Guarded<float> db(conv.out_channels);
    for (const bool made_with : {false, true}) {
        const Plan plan(Context(1, made_with), conv, XCONV_F32);
        for (const bool runs_with : {false, true}) {
            CAPTURE(made_with, runs_with);
            const Context context(1, runs_with);
            const xconv_status status = xconv_backward_bias(
                context.get(), plan.get(), support::OnDevice(dy).data(), 0, db.data());
            // The CPU has no TF32: allowing it changes nothing there.
            if (support::test_device() == XCONV_CPU || made_with == runs_with) {
                CHECK(status == XCONV_SUCCESS);
            }
            else {
                CHECK(status == XCONV_MISMATCH);
                CHECK(std::strstr(xconv_last_error(), "and TF32") != nullptr);
            }
        }
    }
}

TEST_CASE("workspaces stay below the larger of 32 MiB, a quarter of x and three filters", "[plan]")
{
    const Context context(2);
    const Conv convs[] = {
        cases::conv2d(64, 32, 32, 64, 3, 1),   cases::conv2d(128, 64, 64, 32, 3, 1),
        cases::conv2d(256, 64, 64, 16, 3, 1),  cases::conv2d(64, 4, 4, 128, 3, 1),
        cases::conv2d(8, 32, 32, 256, 3, 1),   cases::conv2d(4, 4, 4, 512, 3, 1),
        cases::conv2d(32, 512, 512, 14, 3, 1), cases::conv2d(64, 3, 768, 64, 3, 1),
    };
    for (const Conv &conv : convs) {
        std::vector<Scheme> schemes{{}, {XCONV_IDENTITY, XCONV_RADEMACHER, 0, false, 2}};
        for (const xconv_projection projection : estimator::projections) {
            for (const int64_t probes : {8, 32, 256}) {
                schemes.push_back({projection, XCONV_RADEMACHER, probes});
                schemes.push_back({projection, XCONV_GAUSSIAN, probes});
            }
        }
        for (const Scheme &scheme : schemes) {
            for (const xconv_dtype dtype : {XCONV_F32, XCONV_F64, XCONV_BF16}) {
                const Plan plan(context, conv, dtype, scheme);
                const int64_t w_bytes = plan.query(XCONV_QUERY_DW_BYTES);
                const int64_t bound =
                    std::max({int64_t{32} << 20, plan.query(XCONV_QUERY_X_BYTES) / 4, 3 * w_bytes});
                for (const xconv_query query : workspaces) {
                    INFO(conv.describe() << ", " << scheme.describe() << ", dtype " << dtype
                                         << ", workspace query " << query);
                    CHECK(plan.query(query) <= bound);
                }
            }
        }
    }
}

TEST_CASE("a workspace limit that leaves room for some samples is kept", "[plan]")
{
    const Context context(2);
    const Conv conv = cases::conv2d(64, 32, 32, 64, 3, 1);
    std::vector<Scheme> schemes{{}, {XCONV_IDENTITY, XCONV_RADEMACHER, 0, false, 2}};
    for (const xconv_projection projection : estimator::projections) {
        for (const int64_t probes : {8, 64}) {
            schemes.push_back({projection, XCONV_RADEMACHER, probes, true});
        }
    }
    for (const Scheme &scheme : schemes) {
        for (const int64_t limit : {int64_t{5} << 20, int64_t{12} << 20}) {
            const Plan plan(context, conv, XCONV_F32, scheme, {XCONV_CONTRACTION_AUTO, limit});
            for (const xconv_query query : workspaces) {
                INFO(scheme.describe() << ", limit " << limit << ", workspace query " << query);
                CHECK(plan.query(query) <= limit);
            }
        }
    }
}

TEST_CASE("wide filters do not cut images into bands", "[plan]")
{
    // Bands do not make a filter smaller, and each passes over all of it.
    const Context context(2);
    for (const int64_t size : {7, 14, 28}) {
        const Conv conv = cases::conv2d(32, 512, 512, size, 3, 1);
        const std::string text = text_of(Plan(context, conv, XCONV_F32, Scheme{}));
        INFO(text);
        CHECK(text.find(" bands") == std::string::npos);
    }
}

TEST_CASE("probes that are not written leave room for whole images", "[plan]")
{
    // Bands overlap in x, so that probes would be drawn twice.
    const Context context(2);
    for (const bool deflate_mean : {false, true}) {
        const Scheme scheme{XCONV_DENSE, XCONV_RADEMACHER, 8, deflate_mean};
        const std::string text =
            text_of(Plan(context, cases::conv2d(32, 64, 256, 56, 1, 0), XCONV_F32, scheme));
        INFO(text);
        const bool written = text.find("signs on matrix units") == std::string::npos;
        CHECK((written || text.find(" bands") == std::string::npos));
    }
}

namespace {

constexpr int64_t huge = std::numeric_limits<int64_t>::max();

// Seconds of this process alone, whoever else is busy; instrumented code is slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double longest = 20;
#else
constexpr double longest = 5;
#endif

xconv_status try_plan(const xconv_conv_desc &conv, const xconv_scheme_desc &scheme)
{
    const Context context(1);
    const std::clock_t start = std::clock();
    xconv_plan *plan = nullptr;
    const xconv_status status = xconv_plan_create(context.get(), &conv, &scheme, nullptr, &plan);
    xconv_plan_destroy(plan);
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < longest);
    return status;
}

} // namespace

TEST_CASE("sizes beyond 64 bits are refused at once", "[plan]")
{
    const xconv_conv_desc usual = support::describe(cases::conv2d(2, 3, 4, 8, 3, 1), XCONV_F32);
    std::vector<xconv_conv_desc> list;
    const auto change = [&](const auto &edit) {
        list.push_back(usual);
        edit(list.back());
    };
    change([](auto &d) { d.batch = huge; });
    change([](auto &d) { d.batch = huge / 3 / 64 + 1; });
    change([](auto &d) { d.in_size[0] = huge; });
    change([](auto &d) { d.in_size[0] = d.in_size[1] = int64_t{1} << 32; });
    change([](auto &d) { d.in_channels = huge; });
    change([](auto &d) { d.out_channels = huge; });
    change([](auto &d) { d.in_channels = d.out_channels = int64_t{1} << 31; });
    change([](auto &d) { d.pad_begin[1] = huge; });
    change([](auto &d) { d.pad_end[1] = huge; });
    change([](auto &d) { d.pad_begin[0] = d.pad_end[0] = huge / 2; });
    change([](auto &d) { d.dilation[0] = huge; });
    change([](auto &d) {
        d.kernel[0] = huge;
        d.dilation[0] = 2;
    });
    change([](auto &d) { // of w alone
        d.rank = 1;
        d.in_channels = d.out_channels = d.in_size[0] = d.kernel[0] = int64_t{1} << 20;
        d.pad_begin[0] = d.pad_end[0] = 0;
    });
    for (size_t i = 0; i < list.size(); ++i) {
        INFO("descriptor " << i);
        CHECK(try_plan(list[i], XCONV_SCHEME_DESC_INIT) == XCONV_OVERFLOW);
    }
    for (const xconv_projection projection : estimator::projections) {
        for (const int64_t probes : {huge, huge / 4, huge / 1000}) {
            INFO("projection " << projection << ", probes " << probes);
            CHECK(try_plan(usual, support::describe(Scheme{projection, XCONV_RADEMACHER,
                                                           probes})) == XCONV_OVERFLOW);
        }
    }
}

TEST_CASE("probes beyond 64 bits are refused, whatever there are more of", "[plan]")
{
    // Places of x, of y, of the kernel; images of x or of y.
    constexpr int64_t many = 65536;
    xconv_conv_desc usual = support::describe(cases::conv2d(1, 1, 1, 1, 1, 0), XCONV_F32);
    usual.rank = 1;
    std::vector<xconv_conv_desc> list(5, usual);
    list[0].in_size[0] = list[0].stride[0] = many;
    list[1].pad_end[0] = many;
    list[2].kernel[0] = many;
    list[2].pad_begin[0] = many - 1;
    list[2].stride[0] = many;
    list[3].batch = list[3].in_channels = 256;
    list[4].batch = list[4].out_channels = 256;
    for (size_t i = 0; i < list.size(); ++i) {
        for (const xconv_projection projection : estimator::projections) {
            INFO("descriptor " << i << ", projection " << projection);
            const Scheme scheme{projection, XCONV_RADEMACHER, int64_t{1} << 44};
            CHECK(try_plan(list[i], support::describe(scheme)) == XCONV_OVERFLOW);
        }
    }
}

TEST_CASE("sizes that barely fit 64 bits are planned or refused, never wrapped", "[plan]")
{
    Conv conv = cases::conv2d(1, 1, 1, 1, 1, 0);
    conv.rank = 1;
    std::vector<Scheme> schemes{{}};
    for (const xconv_projection projection : estimator::projections) {
        schemes.push_back({projection, XCONV_RADEMACHER, 1});
    }
    for (int shift = 30; shift < 61; ++shift) {
        for (const int64_t batch : {int64_t{1}, int64_t{1} << (60 - shift)}) {
            conv.in[2] = int64_t{1} << shift;
            conv.batch = batch;
            for (const Scheme &scheme : schemes) {
                INFO(conv.describe() << ", " << scheme.describe());
                const xconv_status status =
                    try_plan(support::describe(conv, XCONV_F32), support::describe(scheme));
                CHECK((status == XCONV_SUCCESS || status == XCONV_OVERFLOW ||
                       status == XCONV_UNSUPPORTED));
            }
        }
    }
}

TEST_CASE("lines of a million points are planned without delay", "[plan]")
{
    Conv line = cases::conv2d(4, 16, 16, 1, 1, 0);
    line.rank = 1;
    line.in[2] = 1000000;
    line.kernel[2] = 9;
    for (const int64_t pad : {4, 12}) { // with the second, windows of padding alone
        line.pad_begin[2] = line.pad_end[2] = pad;
        INFO(line.describe());
        CHECK(try_plan(support::describe(line, XCONV_F32), XCONV_SCHEME_DESC_INIT) ==
              XCONV_SUCCESS);
    }
}
