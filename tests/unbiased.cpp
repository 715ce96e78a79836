#include "unbiased.hpp"

#include <cmath>

#include "cases.hpp"
#include "catch.hpp"
#include "sampling.hpp"

namespace unbiased {

using oracle::Conv;
using statistics::MeanCheck;
using statistics::ScalePool;
using statistics::Verdict;
using support::Layer;
using support::Scheme;

int64_t draw_count() { return support::draws(full_draws); }

double visible(double scale_error)
{
    return scale_error *
           std::sqrt(static_cast<double>(full_draws) / static_cast<double>(draw_count()));
}

std::map<xconv_contraction, Verdict> judge(const Conv &conv, const Scheme &scheme,
                                           uint64_t first_seed, double factor)
{
    std::vector<xconv_contraction> orders{XCONV_X_FIRST};
    if (scheme.projection != XCONV_IDENTITY) {
        orders.push_back(XCONV_DY_FIRST);
    }
    const sampling::Data data(conv, 77);
    std::map<xconv_contraction, Verdict> verdicts;
    for (const xconv_contraction order : orders) {
        Layer<double> layer(1, conv, scheme, {order, 0});
        MeanCheck check(data.dw);
        const uint64_t end = first_seed + static_cast<uint64_t>(draw_count());
        for (uint64_t seed = first_seed; seed < end; ++seed) {
            check.add(layer.estimate(data.x, data.dy, seed), factor);
        }
        verdicts.emplace(order, check.verdict());
    }
    return verdicts;
}

void require(const std::vector<Scheme> &schemes, double scale_error)
{
    uint64_t first_seed = 0;
    std::map<xconv_contraction, ScalePool> pools;
    for (const Scheme &scheme : schemes) {
        for (const auto &[name, conv] : cases::statistical_convs()) {
            INFO(name << ": " << conv.describe() << ", " << scheme.describe());
            for (const auto &[order, verdict] : judge(conv, scheme, first_seed)) {
                INFO("order " << order << ": " << verdict.describe());
                CHECK(verdict.accepts());
                pools[order].add(verdict);
            }
            first_seed += uint64_t{1} << 32; // independent of the other cases
        }
    }
    for (const auto &[order, pool] : pools) {
        INFO("order " << order << ": " << pool.describe());
        CHECK(pool.accepts());
        CHECK(pool.smallest_error_found() <= visible(scale_error));
    }
}

} // namespace unbiased
