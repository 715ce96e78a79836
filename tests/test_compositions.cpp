// Mean deflation and few-bit storage, around every projection: unbiased in all
// combinations.
#include <vector>

#include "catch.hpp"
#include "estimator.hpp"
#include "support.hpp"
#include "unbiased.hpp"

using estimator::few_bits;
using support::Scheme;

namespace {

/// A projection with and without deflation, in all widths; the plain one is the
/// business of test_unbiased.cpp. Groups shorter than the numbers, and not a divisor
/// of them.
std::vector<Scheme> compositions(xconv_projection projection, int64_t probes)
{
    std::vector<Scheme> list;
    const bool random = projection != XCONV_IDENTITY;
    for (const bool mean : {false, true}) {
        if (mean && random) {
            list.push_back({projection, XCONV_RADEMACHER, probes, mean});
        }
        for (const int bits : few_bits) {
            if (random || !mean) {
                list.push_back({projection, XCONV_RADEMACHER, probes, mean, bits, 8});
            }
        }
    }
    return list;
}

} // namespace

TEST_CASE("identity in few bits is unbiased", "[unbiased]")
{
    unbiased::require(compositions(XCONV_IDENTITY, 0), 0.01);
}

TEST_CASE("dense compositions are unbiased", "[unbiased]")
{
    unbiased::require(compositions(XCONV_DENSE, 24), 0.01);
}

TEST_CASE("independent compositions are unbiased", "[unbiased]")
{
    unbiased::require(compositions(XCONV_INDEPENDENT, 12), 0.01);
}

TEST_CASE("orthogonal compositions are unbiased", "[unbiased]")
{
    unbiased::require(compositions(XCONV_ORTHOGONAL, 30), 0.01);
}

TEST_CASE("deflation is unbiased with every distribution", "[unbiased]")
{
    std::vector<Scheme> list;
    for (const xconv_distribution distribution : {XCONV_GAUSSIAN, XCONV_UNIFORM}) {
        list.push_back({XCONV_DENSE, distribution, 16, true});
        list.push_back({XCONV_INDEPENDENT, distribution, 8, true, 4});
        list.push_back({XCONV_ORTHOGONAL, distribution, 17, true});
    }
    unbiased::require(list, 0.01);
}
