// Errors of estimates against what they estimate, and the spread of vectors.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace study {

double squared_norm(std::span<const float> vector);
double squared_distance(std::span<const float> a, std::span<const float> b);

/// Mean and variance, entry by entry, of vectors given one at a time.
class Moments {
  public:
    void add(std::span<const float> vector);
    [[nodiscard]] size_t count() const { return count_; }
    [[nodiscard]] const std::vector<double> &mean() const { return mean_; }
    /// Sum over the entries of their variances; 0 for less than two vectors.
    [[nodiscard]] double total_variance() const;
    /// Variance of one entry.
    [[nodiscard]] double variance(size_t entry) const;

  private:
    size_t count_ = 0;
    std::vector<double> mean_;
    std::vector<double> squares_; // sums of squared deviations from the mean
};

/// Errors of the estimates of several gradients, a number of draws of each.
class Errors {
  public:
    void add(std::span<const float> estimate, std::span<const float> exact);
    /// After the last draw of a gradient.
    void next_gradient();

    /// E|estimate - exact|^2 / E|exact|^2.
    [[nodiscard]] double relative_variance() const;
    [[nodiscard]] double standard_error() const;
    /// |mean of the draws - exact|^2 over what it is on average for estimates
    /// without bias: about 1, and about 1 + draws * bias^2 / variance with bias.
    [[nodiscard]] double bias_ratio() const { return mean_errors_ / expected_mean_errors_; }

  private:
    std::vector<double> errors_; // squared, of every draw
    double exact_squares_ = 0;   // summed over draws
    double mean_errors_ = 0;
    double expected_mean_errors_ = 0;
    // Of the gradient at hand:
    size_t draws_ = 0;
    double squares_ = 0;
    std::vector<double> sum_;
};

} // namespace study
