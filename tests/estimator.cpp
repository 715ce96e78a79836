#include "estimator.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace estimator {

using oracle::product;

namespace {

double dot(const double *a, const double *b, int64_t count)
{
    return std::inner_product(a, a + count, b, 0.0);
}

/// sum over rows s of s <s, x_b>, for every sample.
Tensor gram_apply(const std::vector<Tensor> &rows, const Tensor &x)
{
    Tensor out(x.size(), 0.0);
    const size_t length = rows.front().size();
    for (size_t at = 0; at < x.size(); at += length) {
        for (const Tensor &row : rows) {
            const double kept = dot(row.data(), x.data() + at, static_cast<int64_t>(length));
            for (size_t p = 0; p < length; ++p) {
                out[at + p] += row[p] * kept;
            }
        }
    }
    return out;
}

void scale(Tensor &values, double factor)
{
    for (double &value : values) {
        value *= factor;
    }
}

/// The mean over each run of `points` entries, in place of every entry.
Tensor run_means(const Tensor &values, int64_t points)
{
    Tensor means(values.size());
    for (size_t at = 0; at < values.size(); at += static_cast<size_t>(points)) {
        const auto begin = values.begin() + static_cast<std::ptrdiff_t>(at);
        const double mean =
            std::accumulate(begin, begin + points, 0.0) / static_cast<double>(points);
        std::fill_n(means.begin() + static_cast<std::ptrdiff_t>(at), points, mean);
    }
    return means;
}

Tensor combined(Tensor a, double factor, const Tensor &b)
{
    std::transform(a.begin(), a.end(), b.begin(), a.begin(),
                   [=](double first, double second) { return first + factor * second; });
    return a;
}

/// Sketches of all unit vectors, [Ci * N][kept_per_sample], in one batch.
template <class T>
std::vector<support::Number<T>> sketch_units(const Conv &conv, const Scheme &scheme, uint64_t seed)
{
    Conv units = conv;
    units.batch = conv.x_count() / conv.batch;
    Tensor x(static_cast<size_t>(units.x_count()), 0.0);
    for (int64_t p = 0; p < units.batch; ++p) {
        x[static_cast<size_t>(p * units.batch + p)] = 1;
    }
    support::Layer<T> layer(1, units, scheme);
    const support::Bytes bytes = layer.sketch(support::to<T>(x), seed);
    std::vector<support::Number<T>> numbers(bytes.size() / sizeof(support::Number<T>));
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return numbers;
}

/// What the library multiplies probes of unit variance with: read off signs.
template <class T> double sketch_scale(const Conv &conv, Scheme scheme)
{
    scheme.distribution = XCONV_RADEMACHER;
    double largest = 0;
    for (const auto number : sketch_units<T>(conv, scheme, 0)) {
        largest = std::max(largest, std::abs(static_cast<double>(number)));
    }
    return largest;
}

} // namespace

Scheme draw_scheme(support::Random &random)
{
    Scheme scheme;
    scheme.projection = projections[random.integer(0, 2)];
    scheme.distribution = distributions[random.integer(0, 2)];
    scheme.probes = random.integer(1, 20);
    return scheme;
}

int64_t probes_per_channel(const Scheme &scheme, int64_t in_channels)
{
    if (scheme.projection == XCONV_ORTHOGONAL) {
        return std::max<int64_t>(scheme.probes / in_channels, 1);
    }
    return scheme.probes;
}

int64_t kept_per_sample(const Scheme &scheme, const Conv &conv)
{
    switch (scheme.projection) {
    case XCONV_DENSE:
        return scheme.probes;
    case XCONV_ORTHOGONAL:
        return scheme.probes < conv.in_channels
                   ? scheme.probes
                   : scheme.probes / conv.in_channels * conv.in_channels;
    case XCONV_INDEPENDENT:
        return scheme.probes * conv.in_channels;
    default:
        return conv.in_channels * product(conv.in);
    }
}

template <class T>
SketchMatrix SketchMatrix::read(const Conv &conv, const Scheme &scheme, uint64_t seed)
{
    SketchMatrix matrix;
    const auto length = static_cast<size_t>(conv.x_count() / conv.batch);
    const auto kept = static_cast<size_t>(kept_per_sample(scheme, conv));
    const auto numbers = sketch_units<T>(conv, scheme, seed);
    const double unit = 1 / sketch_scale<T>(conv, scheme);
    REQUIRE(numbers.size() == length * kept);
    matrix.rows_.assign(kept, Tensor(length));
    for (size_t k = 0; k < kept; ++k) {
        for (size_t p = 0; p < length; ++p) {
            matrix.rows_[k][p] = unit * static_cast<double>(numbers[p * kept + k]);
        }
    }
    matrix.channels_ = conv.in_channels;
    matrix.divisor_ = static_cast<double>(probes_per_channel(scheme, conv.in_channels));
    return matrix;
}

template SketchMatrix SketchMatrix::read<float>(const Conv &, const Scheme &, uint64_t);
template SketchMatrix SketchMatrix::read<double>(const Conv &, const Scheme &, uint64_t);
template SketchMatrix SketchMatrix::read<support::F16>(const Conv &, const Scheme &, uint64_t);
template SketchMatrix SketchMatrix::read<support::BF16>(const Conv &, const Scheme &, uint64_t);

bool SketchMatrix::meets(size_t row, int64_t channel) const
{
    const int64_t points = static_cast<int64_t>(rows_[row].size()) / channels_;
    const auto begin = rows_[row].begin() + channel * points;
    return std::any_of(begin, begin + points, [](double value) { return value != 0; });
}

Tensor SketchMatrix::reconstruct(const Tensor &x) const
{
    Tensor out = gram_apply(rows_, x);
    scale(out, 1 / divisor_);
    return out;
}

Tensor SketchMatrix::reconstruct_absolute(const Tensor &x) const
{
    std::vector<Tensor> rows = rows_;
    std::transform(rows.begin(), rows.end(), rows.begin(), support::absolute);
    Tensor out = gram_apply(rows, support::absolute(x));
    scale(out, 1 / divisor_);
    return out;
}

Tensor SketchMatrix::reconstruct_deflated(const Tensor &x) const
{
    const int64_t points = static_cast<int64_t>(rows_.front().size()) / channels_;
    std::vector<Tensor> rows = rows_;
    for (Tensor &row : rows) {
        row = combined(row, -1, run_means(row, points));
    }
    const Tensor means = run_means(x, points);
    return combined(means, 1 / divisor_, gram_apply(rows, combined(x, -1, means)));
}

Tensor SketchMatrix::reconstruct_deflated_absolute(const Tensor &x) const
{
    const int64_t points = static_cast<int64_t>(rows_.front().size()) / channels_;
    std::vector<Tensor> rows = rows_;
    for (Tensor &row : rows) {
        row = support::absolute(row);
        row = combined(row, 1, run_means(row, points));
    }
    const Tensor means = run_means(support::absolute(x), points);
    return combined(means, 1 / divisor_,
                    gram_apply(rows, combined(support::absolute(x), 1, means)));
}

Tensor linear_form(const Conv &conv, const Tensor &dy, int64_t entry)
{
    Tensor unit(static_cast<size_t>(conv.w_count()), 0.0);
    unit[static_cast<size_t>(entry)] = 1;
    return backward_data(conv, unit, dy);
}

namespace {

/// Which channels' noise reaches channel `channel`: those that share a probe.
std::vector<int64_t> sharing(const SketchMatrix &sketch, int64_t channels, int64_t channel)
{
    std::vector<int64_t> list;
    for (int64_t other = 0; other < channels; ++other) {
        for (size_t row = 0; row < sketch.rows().size(); ++row) {
            if (sketch.meets(row, channel) && sketch.meets(row, other)) {
                list.push_back(other);
                break;
            }
        }
    }
    return list;
}

double fourth_moment(xconv_distribution distribution)
{
    switch (distribution) {
    case XCONV_GAUSSIAN:
        return 3;
    case XCONV_UNIFORM:
        return 9.0 / 5;
    default:
        return 1; // XCONV_RADEMACHER
    }
}

/// Variance of zᵀ M z for M = sum over b of x_b G_bᵀ and one probe z with
/// independent entries of unit variance and fourth moment kappa, where x_b is
/// cut to the channels of the probe and G_b is zero outside `channel`:
///   |M|^2 + tr(M^2) + (kappa - 3) sum over p of M(p, p)^2
double quadratic_form_variance(const Conv &conv, const std::vector<int64_t> &met, int64_t channel,
                               const Tensor &x, const Tensor &form, double kappa)
{
    const int64_t points = product(conv.in);
    const auto plane = [&](const Tensor &tensor, int64_t b, int64_t c) {
        return tensor.data() + (b * conv.in_channels + c) * points;
    };
    double frobenius = 0;
    double trace_of_square = 0;
    for (int64_t a = 0; a < conv.batch; ++a) {
        for (int64_t b = 0; b < conv.batch; ++b) {
            double x_a_x_b = 0;
            for (const int64_t c : met) {
                x_a_x_b += dot(plane(x, a, c), plane(x, b, c), points);
            }
            frobenius += x_a_x_b * dot(plane(form, a, channel), plane(form, b, channel), points);
            trace_of_square += dot(plane(form, a, channel), plane(x, b, channel), points) *
                               dot(plane(form, b, channel), plane(x, a, channel), points);
        }
    }
    double squared_diagonal = 0;
    for (int64_t p = 0; p < points; ++p) {
        double entry = 0;
        for (int64_t b = 0; b < conv.batch; ++b) {
            entry += plane(x, b, channel)[p] * plane(form, b, channel)[p];
        }
        squared_diagonal += entry * entry;
    }
    return frobenius + trace_of_square + (kappa - 3) * squared_diagonal;
}

} // namespace

Tensor variance(const Conv &conv, const Scheme &scheme, const SketchMatrix &sketch, const Tensor &x,
                const Tensor &dy)
{
    const int64_t in_per_group = conv.in_channels / conv.groups;
    const int64_t out_per_group = conv.out_channels / conv.groups;
    const auto averaged = static_cast<double>(probes_per_channel(scheme, conv.in_channels));
    Tensor result;
    for (int64_t entry = 0; entry < conv.w_count(); ++entry) {
        const int64_t kernel_plane = entry / product(conv.kernel);
        const int64_t co = kernel_plane / in_per_group;
        const int64_t ci = co / out_per_group * in_per_group + kernel_plane % in_per_group;
        const double one_probe = quadratic_form_variance(
            conv, sharing(sketch, conv.in_channels, ci), ci, x, linear_form(conv, dy, entry),
            fourth_moment(scheme.distribution));
        result.push_back(one_probe / averaged);
    }
    return result;
}

} // namespace estimator
