// Many threads share one plan and one context, and get what one thread gets, to
// the last bit. Contexts of one thread keep OpenMP, which ThreadSanitizer cannot
// see into, out of it.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"
#include "training_step.hpp"

using oracle::Conv;
using support::Context;
using support::Plan;
using support::Scheme;
using training::Inputs;
using training::Outputs;

namespace {

constexpr int kThreads = 8;

/// body(thread) on kThreads threads that start at the same moment.
template <class Body> void on_threads(const Body &body)
{
    std::atomic<int> waiting{kThreads};
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            --waiting;
            while (waiting > 0) {
                std::this_thread::yield();
            }
            body(t);
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
}

template <class T> void check_shared_plan(const Scheme &scheme, const xconv_contraction order)
{
    constexpr int kRounds = 4;
    const Conv conv = cases::conv2d(6, 4, 5, 9, 3, 1);
    INFO(scheme.describe() << ", order " << order);
    const Context context(1);
    const Plan plan(context, conv, support::dtype_of<T>, scheme, {order, 0});
    const Inputs<T> inputs(conv);
    std::vector<Outputs<T>> expected;
    for (int i = 0; i < kThreads * kRounds; ++i) {
        expected.push_back(run_step(context, plan, conv, inputs, static_cast<uint64_t>(i)));
        REQUIRE(expected.back().status == XCONV_SUCCESS);
    }
    std::vector<Outputs<T>> got(expected.size());
    on_threads([&](int t) {
        for (int round = 0; round < kRounds; ++round) {
            const int i = t * kRounds + round;
            got[static_cast<size_t>(i)] =
                run_step(context, plan, conv, inputs, static_cast<uint64_t>(i));
        }
    });
    for (size_t i = 0; i < got.size(); ++i) {
        REQUIRE(got[i] == expected[i]);
    }
}

} // namespace

TEMPLATE_TEST_CASE("threads that share a plan do not disturb each other", "[threads]", float,
                   double, support::F16, support::BF16)
{
    check_shared_plan<TestType>({}, XCONV_CONTRACTION_AUTO);
    for (const xconv_projection projection : estimator::projections) {
        for (const xconv_distribution distribution : estimator::distributions) {
            for (const auto order : {XCONV_DY_FIRST, XCONV_X_FIRST}) {
                check_shared_plan<TestType>({projection, distribution, 6}, order);
            }
        }
    }
}

TEST_CASE("threads create and use plans of their own", "[threads]")
{
    const Scheme scheme{XCONV_DENSE, XCONV_RADEMACHER, 6};
    const Context context(1);
    std::vector<Conv> convs;
    convs.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
        convs.push_back(cases::conv2d(1 + t % 3, 4, 3, 5 + t, 3, 1));
    }
    std::vector<Outputs<float>> expected;
    for (const Conv &conv : convs) {
        const Plan plan(context, conv, XCONV_F32, scheme);
        expected.push_back(run_step(context, plan, conv, Inputs<float>(conv), 3));
    }
    std::vector<Outputs<float>> got(convs.size());
    on_threads([&](int t) {
        const auto i = static_cast<size_t>(t);
        const Context own(1);
        const Plan plan(own, convs[i], XCONV_F32, scheme);
        got[i] = run_step(own, plan, convs[i], Inputs<float>(convs[i]), 3);
    });
    for (size_t i = 0; i < got.size(); ++i) {
        REQUIRE(got[i].status == XCONV_SUCCESS);
        REQUIRE(got[i] == expected[i]);
    }
}

TEST_CASE("threads share a context for the companions", "[threads]")
{
    const Context context(1);
    constexpr int64_t count = 4099;
    const std::vector<float> x = support::to<float>(support::Random(3).values(count));
    std::vector<std::vector<float>> results(kThreads);
    std::atomic<int> failures{0};
    on_threads([&](int t) {
        std::vector<float> y(count);
        support::Bytes mask((count + 7) / 8);
        {
            const support::OnDevice<float> in(x);
            const support::InPlace<float> out(y);
            const support::InPlace<unsigned char> bits(mask);
            const size_t bytes = mask.size();
            failures += xconv_relu_forward(context.get(), XCONV_F32, count, 0.25, 1e9, in.data(),
                                           out.data(), bits.data(), bytes) == XCONV_SUCCESS;
            failures += xconv_relu_forward(context.get(), XCONV_F32, count, 0, 0.5, in.data(),
                                           out.data(), bits.data(), bytes) != XCONV_SUCCESS;
            failures += xconv_relu_backward(context.get(), XCONV_F32, count, 0, bits.data(), bytes,
                                            out.data(), out.data()) != XCONV_SUCCESS;
        }
        results[static_cast<size_t>(t)] = y;
    });
    REQUIRE(failures == 0);
    for (const std::vector<float> &result : results) {
        REQUIRE(result == results.front());
    }
}

TEST_CASE("every thread has its own last error", "[threads]")
{
    const Context context(1);
    std::atomic<int> wrong{0};
    on_threads([&](int t) {
        const bool fresh = std::strlen(xconv_last_error()) == 0;
        xconv_conv_desc desc = support::describe(cases::conv2d(1, 1, 1, 3, 1, 0), XCONV_F32);
        desc.batch = -1000 - t;
        xconv_plan *plan = nullptr;
        for (int i = 0; i < 200; ++i) {
            const xconv_status status =
                xconv_plan_create(context.get(), &desc, nullptr, nullptr, &plan);
            const std::string expected = std::to_string(desc.batch);
            if (!fresh || status != XCONV_INVALID_ARGUMENT ||
                std::strstr(xconv_last_error(), expected.c_str()) == nullptr) {
                ++wrong;
            }
        }
    });
    REQUIRE(wrong == 0);
}
