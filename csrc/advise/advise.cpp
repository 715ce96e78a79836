#include "advise/advise.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "advise/candidates.hpp"
#include "advise/measure.hpp"

namespace xconv {

namespace {

constexpr int kUsualDraws = 8;
constexpr int kMostDraws = 1 << 16;
constexpr double kUsualSeconds = 10;

/// `value`, or infinity for 0, which sets no limit.
double checked_limit(double value, const char *name)
{
    if (!(value >= 0)) {
        fail(XCONV_INVALID_ARGUMENT, "{} = {}: must not be negative", name, value);
    }
    return value == 0 ? std::numeric_limits<double>::infinity() : value;
}

/// Whether a scheme is worth its memory at all.
bool fits(const SchemeMeter &meter, const xconv_scheme_desc &scheme, int64_t budget,
          int64_t exact_bytes)
{
    const bool exact = scheme.projection == XCONV_IDENTITY && scheme.bits == 0;
    return meter.kept_bytes() <= budget && (exact || meter.kept_bytes() < exact_bytes);
}

/// Sort by bytes, and mark what nothing beats in both bytes and noise.
void mark_front(std::vector<xconv_advice> &schemes)
{
    std::stable_sort(
        schemes.begin(), schemes.end(), [](const xconv_advice &a, const xconv_advice &b) {
            return a.kept_bytes != b.kept_bytes ? a.kept_bytes < b.kept_bytes
                                                : a.relative_variance < b.relative_variance;
        });
    double least = std::numeric_limits<double>::infinity();
    for (xconv_advice &advice : schemes) {
        advice.on_front = advice.relative_variance < least ? 1 : 0;
        least = std::min(least, advice.relative_variance);
    }
}

/// As xconv.h says: the fewest bytes whose noise is accepted. Within a budget, and
/// where none is accepted, the least noise there is.
void recommend(std::vector<xconv_advice> &schemes, const AdviseRequest &request, double batch_noise)
{
    const bool asked_for_noise = std::isfinite(request.max_noise);
    const bool asked_for_bytes = request.budget_bytes < std::numeric_limits<int64_t>::max();
    const double accepted = asked_for_noise ? request.max_noise : asked_for_bytes ? 0 : batch_noise;
    xconv_advice *best = nullptr;
    for (xconv_advice &advice : schemes) {
        if (advice.on_front == 1) {
            best = &advice;
            if (advice.relative_variance <= accepted) {
                break;
            }
        }
    }
    if (best != nullptr) {
        best->recommended = 1;
    }
}

} // namespace

AdviseRequest make_advise_request(const xconv_advise_options &options)
{
    if (options.draws != 0 && (options.draws < 2 || options.draws > kMostDraws)) {
        fail(XCONV_INVALID_ARGUMENT, "draws = {}: must be between 2 and {}, or 0", options.draws,
             kMostDraws);
    }
    if (options.budget_bytes < 0) {
        fail(XCONV_INVALID_ARGUMENT, "budget_bytes = {}: must not be negative",
             options.budget_bytes);
    }
    static_cast<void>(checked_limit(options.seconds, "seconds"));
    return {options.draws == 0 ? kUsualDraws : options.draws,
            options.budget_bytes == 0 ? std::numeric_limits<int64_t>::max() : options.budget_bytes,
            checked_limit(options.max_noise, "max_noise"),
            options.seconds == 0 ? kUsualSeconds : options.seconds, options.seed};
}

int64_t advise_capacity(const ConvGeometry &geometry)
{
    return static_cast<int64_t>(candidate_schemes(geometry).size());
}

int64_t advise_workspace(const Backend &on, const ConvGeometry &g, int64_t budget_bytes)
{
    int64_t bytes = std::max(exact_gradient_workspace(on, g), batch_noise_workspace(on, g));
    const int64_t exact_bytes = g.x_count() * element_bytes(g.dtype);
    for (const xconv_scheme_desc &scheme : candidate_schemes(g)) {
        const SchemeMeter meter(on, g, scheme);
        if (fits(meter, scheme, budget_bytes, exact_bytes)) {
            bytes = std::max(bytes, meter.workspace());
        }
    }
    return bytes + kAlignment;
}

Advised advise(const Backend &on, const ConvGeometry &g, const AdviseRequest &request,
               const void *x, const void *dy, void *workspace)
{
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const Specimen specimen{on, g, x, dy, workspace};
    const ExactGradient exact = exact_gradient(specimen);
    Advised advised{{}, batch_noise(specimen, exact)};
    const int64_t exact_bytes = g.x_count() * element_bytes(g.dtype);
    for (const xconv_scheme_desc &scheme : candidate_schemes(g)) {
        const std::chrono::duration<double> spent = Clock::now() - begin;
        if (spent.count() >= request.seconds) {
            break;
        }
        const SchemeMeter meter(on, g, scheme);
        if (!fits(meter, scheme, request.budget_bytes, exact_bytes)) {
            continue;
        }
        const Measurement m = meter.run(specimen, exact, request.draws, request.seed);
        if (m.relative_variance <= request.max_noise) {
            advised.schemes.push_back({m.kept_bytes, m.relative_variance, m.variance_error,
                                       m.milliseconds, 0, 0, scheme});
        }
    }
    mark_front(advised.schemes);
    recommend(advised.schemes, request, advised.batch_noise);
    return advised;
}

} // namespace xconv
