// Calls from inside a caller's own OpenMP region, where a library that opens
// regions of its own finds itself nested.
#include <omp.h>

#include "cases.hpp"
#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"
#include "training_step.hpp"

using oracle::Conv;
using support::Context;
using support::Plan;
using training::Inputs;
using training::Outputs;

namespace {

template <class T> void check_nested(const Conv &conv, const support::Scheme &scheme, int threads)
{
    constexpr int callers = 3;
    INFO(conv.describe() << ", " << scheme.describe() << ", contexts of " << threads << " threads");
    const Context context(threads);
    const Plan plan(context, conv, support::dtype_of<T>, scheme);
    const Inputs<T> inputs(conv);
    std::vector<Outputs<T>> expected;
    for (uint64_t i = 0; i < callers; ++i) {
        expected.push_back(run_step(context, plan, conv, inputs, i));
        REQUIRE(expected.back().status == XCONV_SUCCESS);
    }
    std::vector<Outputs<T>> got(callers);
    bool teams_intact = true;
#pragma omp parallel num_threads(callers) shared(teams_intact)
    {
        const int before = omp_get_max_threads();
#pragma omp for schedule(static, 1)
        for (int i = 0; i < callers; ++i) {
            got[static_cast<size_t>(i)] =
                run_step(context, plan, conv, inputs, static_cast<uint64_t>(i));
        }
        if (omp_get_max_threads() != before) {
#pragma omp critical
            teams_intact = false;
        }
    }
    CHECK(teams_intact);
    for (size_t i = 0; i < callers; ++i) {
        REQUIRE(got[i] == expected[i]);
    }
}

} // namespace

TEMPLATE_TEST_CASE("calls inside a parallel region give the same bits", "[openmp]", float, double)
{
    for (const int threads : {1, 2, 4}) {
        check_nested<TestType>(cases::conv2d(9, 6, 5, 17, 3, 1), {}, threads);
        for (const xconv_projection projection : estimator::projections) {
            check_nested<TestType>(cases::conv2d(9, 6, 5, 17, 3, 1),
                                   {projection, XCONV_RADEMACHER, 9}, threads);
        }
    }
}

TEST_CASE("a call leaves the caller's OpenMP settings alone", "[openmp]")
{
    const int before = omp_get_max_threads();
    const Conv conv = cases::conv2d(9, 6, 5, 17, 3, 1);
    const Context context(before + 1);
    const Plan plan(context, conv, XCONV_F32, {XCONV_DENSE, XCONV_RADEMACHER, 9});
    REQUIRE(run_step(context, plan, conv, Inputs<float>(conv), 1).status == XCONV_SUCCESS);
    CHECK(omp_get_max_threads() == before);
}
