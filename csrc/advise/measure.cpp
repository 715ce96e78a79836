#include "advise/measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "philox.hpp"
#include "plan.hpp"

namespace xconv {

namespace {

// Parts the batch is cut into for its own noise. The estimate's relative error
// falls as the square root of this, and with the number of taps.
constexpr int64_t kMostParts = 32;

int64_t sum_bytes(const ConvGeometry &g)
{
    return g.w_count() * element_bytes(compute_dtype(g.dtype));
}

/// A gradient of the layer's numbers, on the host; waits for it.
std::vector<double> read_gradient(const Backend &on, const ConvGeometry &g, const void *sum,
                                  double scale)
{
    std::vector<double> gradient(static_cast<size_t>(g.w_count()));
    with_type(compute_dtype(g.dtype), [&](auto tag) {
        using T = typename decltype(tag)::type;
        std::vector<T> numbers(gradient.size());
        on.read(sum, numbers.data(), sum_bytes(g));
        std::transform(numbers.begin(), numbers.end(), gradient.begin(),
                       [scale](T number) { return scale * static_cast<double>(number); });
    });
    return gradient;
}

double square(const std::vector<double> &values)
{
    return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

double squared_distance(const std::vector<double> &a, const std::vector<double> &b)
{
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                              [](double p, double q) { return (p - q) * (p - q); });
}

/// Noise on the scale of the gradient; nothing is nothing even of nothing.
double relative(double variance, double square) { return variance == 0 ? 0 : variance / square; }

struct Mean {
    double value;
    double error; // standard
};

/// |dw-hat - dw|^2 has no bias, since dw is known.
Mean mean_of(const std::vector<double> &values)
{
    const auto n = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    double spread = 0;
    for (const double value : values) {
        spread += (value - mean) * (value - mean);
    }
    return {mean, std::sqrt(spread / std::max(n - 1, 1.0) / n)};
}

bool known(const Mean &mean) { return 50 * mean.error <= mean.value; }

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// The exact filter gradient of some samples of a layer.
class Part {
  public:
    Part(const Backend &on, const ConvGeometry &whole, int64_t samples)
        : geometry_(whole.with_batch(samples)),
          pass_(on.backward_filter(geometry_, default_workspace_limit(geometry_)))
    {
    }
    [[nodiscard]] int64_t workspace() const
    {
        return round_up(sum_bytes(geometry_), kAlignment) + pass_->workspace();
    }
    /// Of the samples from `first` on.
    [[nodiscard]] std::vector<double> gradient(const Specimen &s, int64_t first) const
    {
        const auto at = [&](const void *tensor, int64_t sample) {
            return at_element(geometry_.dtype, tensor, first * sample);
        };
        Arena arena(s.workspace);
        void *sum = arena.take(sum_bytes(geometry_));
        pass_->run(s.on, at(s.x, geometry_.x_sample()), at(s.dy, geometry_.y_sample()), false, sum,
                   arena.take(pass_->workspace()));
        return read_gradient(s.on, geometry_, sum, 1);
    }

  private:
    ConvGeometry geometry_;
    std::unique_ptr<FilterPass> pass_;
};

/// A batch in parts as equal as can be: the first `longer` have a sample more.
struct Parts {
    explicit Parts(int64_t batch)
        : count(std::min(batch, kMostParts)), shorter(batch / count), longer(batch % count)
    {
    }
    int64_t count;
    int64_t shorter; // samples
    int64_t longer;  // parts
};

uint64_t seed_of_draw(uint64_t seed, int draw)
{
    const PhiloxBlock random = philox_block(seed, static_cast<uint64_t>(draw), 0);
    return random.word[0] | static_cast<uint64_t>(random.word[1]) << 32U;
}

} // namespace

ExactGradient exact_gradient(const Specimen &s)
{
    std::vector<double> dw = Part(s.on, s.geometry, s.geometry.batch).gradient(s, 0);
    const double dw_square = square(dw);
    if (!std::isfinite(dw_square)) {
        fail(XCONV_INVALID_ARGUMENT,
             "x, dy: their filter gradient has a norm of {}; it must be finite",
             std::sqrt(dw_square));
    }
    return {std::move(dw), dw_square};
}

int64_t exact_gradient_workspace(const Backend &on, const ConvGeometry &g)
{
    return Part(on, g, g.batch).workspace();
}

double batch_noise(const Specimen &s, const ExactGradient &exact)
{
    const Parts parts(s.geometry.batch);
    if (parts.count == 1) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const auto batch = static_cast<double>(s.geometry.batch);
    double deviations = 0; // from each part's share of dw, over its samples
    int64_t first = 0;
    for (const int64_t more : {1, 0}) {
        const int64_t samples = parts.shorter + more;
        const int64_t count = more == 1 ? parts.longer : parts.count - parts.longer;
        if (count == 0) {
            continue;
        }
        const Part part(s.on, s.geometry, samples);
        std::vector<double> share = exact.dw;
        for (double &value : share) {
            value *= static_cast<double>(samples) / batch;
        }
        for (int64_t i = 0; i < count; ++i, first += samples) {
            deviations +=
                squared_distance(part.gradient(s, first), share) / static_cast<double>(samples);
        }
    }
    const double sample_variance = deviations / static_cast<double>(parts.count - 1);
    return relative(batch * sample_variance, exact.square);
}

int64_t batch_noise_workspace(const Backend &on, const ConvGeometry &g)
{
    const Parts parts(g.batch);
    const int64_t most = parts.shorter + (parts.longer > 0 ? 1 : 0);
    return std::max(Part(on, g, parts.shorter).workspace(), Part(on, g, most).workspace());
}

SchemeMeter::SchemeMeter(const Backend &on, const ConvGeometry &geometry,
                         const xconv_scheme_desc &scheme)
    : geometry_(geometry), desc_(scheme),
      scheme_(on, geometry, scheme, XCONV_CONTRACTION_AUTO, default_workspace_limit(geometry))
{
}

bool SchemeMeter::keeps_x() const { return desc_.projection == XCONV_IDENTITY && desc_.bits == 0; }

SchemeMeter::Pieces SchemeMeter::take(Arena &arena) const
{
    return {arena.take(sum_bytes(geometry_)), arena.take(keeps_x() ? 0 : kept_bytes()),
            arena.take(std::max(scheme_.sketch_workspace(), scheme_.filter_workspace()))};
}

int64_t SchemeMeter::workspace() const
{
    Arena arena(nullptr);
    static_cast<void>(take(arena));
    return arena.used();
}

Measurement SchemeMeter::run(const Specimen &s, const ExactGradient &exact, const Draws &draws,
                             uint64_t seed) const
{
    using Clock = std::chrono::steady_clock;
    Arena arena(s.workspace);
    const Pieces pieces = take(arena);
    const void *kept = keeps_x() ? s.x : pieces.kept;
    std::vector<double> errors;
    std::vector<double> milliseconds;
    Mean variance{};
    for (int draw = 0; draw < draws.least || (draw < draws.most && !known(variance)); ++draw) {
        const uint64_t own = seed_of_draw(seed, draw);
        const auto begin = Clock::now(); // the device is idle: the last read waited
        if (!keeps_x()) {
            scheme_.sketch(s.on, own, s.x, pieces.kept, pieces.scratch);
        }
        scheme_.filter(s.on, own, kept, s.dy, pieces.sum, pieces.scratch);
        const auto estimate = read_gradient(s.on, geometry_, pieces.sum, scheme_.scale());
        milliseconds.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        errors.push_back(relative(squared_distance(estimate, exact.dw), exact.square));
        variance = mean_of(errors);
    }
    return {kept_bytes(), variance.value, variance.error, median(std::move(milliseconds)),
            static_cast<int>(errors.size())};
}

} // namespace xconv
