// Estimates from 16-bit tensors have the filter gradient of these tensors as their
// mean. They are taken in Float32: rounding a result to 16 bits is not random.
#include "cases.hpp"
#include "catch.hpp"
#include "sampling.hpp"
#include "statistics.hpp"
#include "support.hpp"

using support::BF16;
using support::F16;
using support::Layer;
using support::rounded;
using support::Scheme;
using support::to;

TEMPLATE_TEST_CASE("estimates from 16-bit tensors are unbiased", "[half][unbiased]", F16, BF16)
{
    uint64_t first_seed = 0;
    statistics::ScalePool pool;
    for (const auto &[name, conv] : cases::statistical_convs()) {
        sampling::Data data(conv, 77);
        data.x = rounded<TestType>(data.x);
        data.dy = rounded<TestType>(data.dy);
        data.dw = backward_filter(conv, data.x, data.dy);
        for (const Scheme &scheme : {Scheme{XCONV_DENSE, XCONV_RADEMACHER, 16},
                                     Scheme{XCONV_ORTHOGONAL, XCONV_UNIFORM, 17},
                                     Scheme{XCONV_INDEPENDENT, XCONV_GAUSSIAN, 8, true},
                                     Scheme{XCONV_IDENTITY, XCONV_RADEMACHER, 0, false, 2, 16}}) {
            INFO(name << ": " << conv.describe() << ", " << scheme.describe());
            Layer<TestType, float> layer(1, conv, scheme);
            const auto x = to<TestType>(data.x);
            const auto dy = to<TestType>(data.dy);
            statistics::MeanCheck check(data.dw);
            for (int64_t i = 0; i < support::draws(512); ++i) {
                check.add(layer.estimate(x, dy, first_seed + static_cast<uint64_t>(i)));
            }
            first_seed += uint64_t{1} << 32;
            const statistics::Verdict verdict = check.verdict();
            INFO(verdict.describe());
            CHECK(verdict.accepts());
            pool.add(verdict);
        }
    }
    INFO(pool.describe());
    CHECK(pool.accepts());
}
