#include "advise/advise.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "advise/candidates.hpp"

namespace xconv {

namespace {

constexpr Draws kUsualDraws{2, 8};
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

/// Nothing where sizes that the scheme needs are beyond 64 bits: so many probes of a
/// layer as large are not what anybody is looking for.
std::optional<SchemeMeter> make_meter(const Backend &on, const ConvGeometry &geometry,
                                      const xconv_scheme_desc &scheme)
{
    try {
        return SchemeMeter(on, geometry, scheme);
    }
    catch (const Error &error) {
        if (error.status() != XCONV_OVERFLOW) {
            throw;
        }
        return std::nullopt;
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
    return {options.draws == 0 ? kUsualDraws : Draws{options.draws, options.draws},
            options.budget_bytes == 0 ? std::numeric_limits<int64_t>::max() : options.budget_bytes,
            checked_limit(options.max_noise, "max_noise"),
            options.seconds == 0 ? kUsualSeconds : options.seconds, options.seed};
}

int64_t advise_capacity(const ConvGeometry &geometry)
{
    return static_cast<int64_t>(candidate_schemes(geometry).size());
}

Advisor::Advisor(const Backend &on, const ConvGeometry &geometry, const AdviseRequest &request)
    : on_(on), geometry_(geometry), request_(request)
{
    const int64_t exact_bytes = geometry.x_count() * element_bytes(geometry.dtype);
    std::vector<std::pair<double, SchemeMeter>> meters; // with their lateness
    for (const Candidate &candidate : candidate_schemes(geometry)) {
        std::optional<SchemeMeter> meter = make_meter(on, geometry, candidate.scheme);
        if (!meter) {
            continue;
        }
        // What keeps as much as x itself is worth nothing, but for x itself.
        const bool smaller = meter->kept_bytes() < exact_bytes || meter->keeps_x();
        if (smaller && meter->kept_bytes() <= request.budget_bytes) {
            // What takes many times as long as the exact gradient is for the end.
            const double doublings = std::max(std::log2(meter->cost()), 0.0);
            meters.emplace_back(candidate.lateness + 2 * doublings, std::move(*meter));
        }
    }
    std::stable_sort(meters.begin(), meters.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    meters_.reserve(meters.size());
    for (auto &[lateness, meter] : meters) {
        meters_.push_back(std::move(meter));
    }
}

int64_t Advisor::workspace() const
{
    int64_t bytes =
        std::max(exact_gradient_workspace(on_, geometry_), batch_noise_workspace(on_, geometry_));
    for (const SchemeMeter &meter : meters_) {
        bytes = std::max(bytes, meter.workspace());
    }
    return bytes + kAlignment;
}

Advised Advisor::run(const void *x, const void *dy, void *workspace) const
{
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const Specimen specimen{on_, geometry_, x, dy, workspace};
    const ExactGradient exact = exact_gradient(specimen);
    Advised advised{{}, batch_noise(specimen, exact)};
    const auto spent = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
    double pace = 0; // seconds for a cost of 1, the slowest so far
    for (const SchemeMeter &meter : meters_) {
        const double start = spent();
        if (start + pace * meter.cost() * request_.draws.least >= request_.seconds) {
            continue; // one that takes less may follow
        }
        const Measurement m = meter.run(specimen, exact, request_.draws, request_.seed);
        pace = std::max(pace, (spent() - start) / (meter.cost() * m.draws));
        if (m.relative_variance <= request_.max_noise) {
            advised.schemes.push_back({m.kept_bytes, m.relative_variance, m.variance_error,
                                       m.milliseconds, 0, 0, meter.scheme()});
        }
    }
    mark_front(advised.schemes);
    recommend(advised.schemes, request_, advised.batch_noise);
    return advised;
}

} // namespace xconv
