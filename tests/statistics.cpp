#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

namespace statistics {

namespace {

// Chances that a right mean is rejected, for a normal mean (which the central
// limit theorem makes of thousands of draws; 6 instead of 5 standard errors for
// single entries leave room for their skewness):
//   an entry at |z| > 6          2.0e-9
//   the scale at |z| > 5         5.7e-7
//   the mean square at t = 16    1.1e-7
// A run of the tests judges about 20 000 entries in 500 means: a false alarm in
// 2 500 choices of the fixed seeds.
constexpr double entry_bound = 6;
constexpr double scale_bound = 5;
constexpr double mean_square_t = 16;
// A normal variable stays below 3.1 standard deviations in 99.9 % of all cases.
constexpr double power_z = 3.1;
// Entries that see no randomness (a tap over padding only, say) are exact but
// for the rounding of some thousand additions.
constexpr double rounding = 1e-12;

} // namespace

void Sample::add(double value)
{
    ++count_;
    const double before = value - mean_;
    mean_ += before / static_cast<double>(count_);
    squares_ += before * (value - mean_);
}

double Sample::standard_error() const
{
    return std::sqrt(variance() / static_cast<double>(count_));
}

MeanCheck::MeanCheck(Tensor exact)
    : exact_(std::move(exact)),
      exact_square_(std::inner_product(exact_.begin(), exact_.end(), exact_.begin(), 0.0)),
      difference_(exact_.size()), sums_(exact_.size(), 0.0),
      products_(exact_.size() * (exact_.size() + 1) / 2, 0.0)
{
}

void MeanCheck::add_difference()
{
    ++count_;
    double along = 0;
    double *product = products_.data();
    for (size_t i = 0; i < difference_.size(); ++i) {
        sums_[i] += difference_[i];
        along += difference_[i] * exact_[i];
        for (size_t j = 0; j <= i; ++j) {
            *product++ += difference_[i] * difference_[j];
        }
    }
    scale_.add(1 + along / exact_square_);
}

double MeanCheck::covariance(size_t i, size_t j) const
{
    const auto n = static_cast<double>(count_);
    const size_t at = std::max(i, j) * (std::max(i, j) + 1) / 2 + std::min(i, j);
    return (products_[at] - sums_[i] * sums_[j] / n) / (n - 1);
}

/// The means of E entries are correlated normal variables; with C their
/// correlation matrix, the sum of their squared z-scores is distributed as
/// sum of lambda_i chi^2_1, lambda the eigenvalues of C, and exceeds
/// E + 2 |lambda|_2 sqrt(t) + 2 |lambda|_max t with a probability of at most
/// exp(-t) (Laurent and Massart 2000, lemma 1). |lambda|_2 = |C|_F, and
/// |lambda|_max is at most the largest absolute row sum of C.
Verdict MeanCheck::verdict() const
{
    const double size = std::sqrt(exact_square_ / static_cast<double>(exact_.size()));
    const auto n = static_cast<double>(count_);
    Verdict result{};
    std::vector<size_t> random;
    for (size_t i = 0; i < exact_.size(); ++i) {
        if (covariance(i, i) > rounding * rounding * size * size * n) {
            random.push_back(i);
        }
        else {
            result.constant_error = std::max(result.constant_error, std::abs(sums_[i] / n) / size);
        }
    }
    double square_z = 0;
    double frobenius = 0;
    double largest_row = 0;
    for (const size_t i : random) {
        const double z = sums_[i] / std::sqrt(n * covariance(i, i));
        result.worst_z = std::max(result.worst_z, std::abs(z));
        square_z += z * z;
        double row = 0;
        for (const size_t j : random) {
            const double c = covariance(i, j) / std::sqrt(covariance(i, i) * covariance(j, j));
            frobenius += c * c;
            row += std::abs(c);
        }
        largest_row = std::max(largest_row, row);
    }
    const auto entries = static_cast<double>(random.size());
    result.worst_z_bound = entry_bound;
    result.mean_square_z = random.empty() ? 1 : square_z / entries;
    result.mean_square_bound =
        random.empty()
            ? 1
            : 1 + 2 * (std::sqrt(frobenius * mean_square_t) + largest_row * mean_square_t) /
                      entries;
    result.scale = scale_.mean();
    result.scale_standard_error = scale_.standard_error();
    result.scale_z = random.empty() ? 0 : scale_.z(1);
    result.scale_z_bound = scale_bound;
    return result;
}

bool Verdict::accepts() const
{
    return std::isfinite(scale) && worst_z <= worst_z_bound && mean_square_z <= mean_square_bound &&
           std::abs(scale_z) <= scale_z_bound && constant_error <= rounding;
}

std::string Verdict::describe() const
{
    std::ostringstream text;
    text << "worst |z| of an entry " << worst_z << " (bound " << worst_z_bound << "), mean z^2 "
         << mean_square_z << " (bound " << mean_square_bound << "), scale " << scale << " at z "
         << scale_z << " (bound " << scale_z_bound << "), constant entries off by "
         << constant_error;
    return text.str();
}

void ScalePool::add(const Verdict &verdict)
{
    count_ += 1;
    sum_ += verdict.scale;
    variances_ += verdict.scale_standard_error * verdict.scale_standard_error;
}

double ScalePool::standard_error() const { return std::sqrt(variances_) / count_; }

bool ScalePool::accepts() const { return std::abs(scale() - 1) <= scale_bound * standard_error(); }

double ScalePool::smallest_error_found() const
{
    return (scale_bound + power_z) * standard_error();
}

std::string ScalePool::describe() const
{
    std::ostringstream text;
    text << "mean scale " << scale() << " +- " << standard_error() << ", errors above "
         << smallest_error_found() << " are found";
    return text.str();
}

Slope fit_slope(const std::vector<double> &x, const std::vector<double> &y,
                const std::vector<double> &y_error)
{
    const double centre = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
    double spread = 0;
    for (const double value : x) {
        spread += (value - centre) * (value - centre);
    }
    Slope slope{0, 0};
    for (size_t i = 0; i < x.size(); ++i) {
        const double weight = (x[i] - centre) / spread;
        slope.value += weight * y[i];
        slope.standard_error += weight * weight * y_error[i] * y_error[i];
    }
    slope.standard_error = std::sqrt(slope.standard_error);
    return slope;
}

} // namespace statistics
