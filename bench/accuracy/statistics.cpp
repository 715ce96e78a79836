#include "statistics.hpp"

#include <cmath>
#include <numeric>

namespace study {
namespace {

double square(double value) { return value * value; }

double mean(const std::vector<double> &values)
{
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

} // namespace

double squared_norm(std::span<const float> vector)
{
    double sum = 0;
    for (const float value : vector)
        sum += square(static_cast<double>(value));
    return sum;
}

double squared_distance(std::span<const float> a, std::span<const float> b)
{
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i)
        sum += square(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    return sum;
}

// Welford's update: no cancellation where the spread is small beside the mean.
void Moments::add(std::span<const float> vector)
{
    mean_.resize(vector.size());
    squares_.resize(vector.size());
    ++count_;
    for (size_t i = 0; i < vector.size(); ++i) {
        const double before = static_cast<double>(vector[i]) - mean_[i];
        mean_[i] += before / static_cast<double>(count_);
        squares_[i] += before * (static_cast<double>(vector[i]) - mean_[i]);
    }
}

double Moments::variance(size_t entry) const
{
    return count_ < 2 ? 0 : squares_[entry] / static_cast<double>(count_ - 1);
}

double Moments::total_variance() const
{
    double sum = 0;
    for (size_t i = 0; i < squares_.size(); ++i)
        sum += variance(i);
    return sum;
}

void Errors::add(std::span<const float> estimate, std::span<const float> exact)
{
    const double error = squared_distance(estimate, exact);
    errors_.push_back(error);
    exact_squares_ += squared_norm(exact);
    squares_ += error;
    ++draws_;
    sum_.resize(exact.size());
    for (size_t i = 0; i < exact.size(); ++i)
        sum_[i] += static_cast<double>(estimate[i]) - static_cast<double>(exact[i]);
}

void Errors::next_gradient()
{
    const auto draws = static_cast<double>(draws_);
    for (const double sum : sum_)
        mean_errors_ += square(sum / draws);
    expected_mean_errors_ += squares_ / square(draws);
    draws_ = 0;
    squares_ = 0;
    sum_.clear();
}

double Errors::relative_variance() const
{
    return mean(errors_) * static_cast<double>(errors_.size()) / exact_squares_;
}

double Errors::standard_error() const
{
    const double middle = mean(errors_);
    double squares = 0;
    for (const double error : errors_)
        squares += square(error - middle);
    const auto count = static_cast<double>(errors_.size());
    return std::sqrt(squares / (count * (count - 1))) * count / exact_squares_;
}

} // namespace study
