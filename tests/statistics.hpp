// Is the mean of many random estimates a given vector? The bounds are derived
// in statistics.cpp; no tolerance is chosen by taste.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "oracle.hpp"

namespace statistics {

using oracle::Tensor;

/// Mean and standard error of a number, from independent samples.
class Sample {
  public:
    void add(double value);
    int64_t count() const { return count_; }
    double mean() const { return mean_; }
    double variance() const { return squares_ / static_cast<double>(count_ - 1); }
    double standard_error() const;
    /// How many standard errors the mean is away from `expected`.
    double z(double expected) const { return (mean_ - expected) / standard_error(); }

  private:
    int64_t count_ = 0;
    double mean_ = 0;
    double squares_ = 0; // sum of squared deviations (Welford 1962)
};

struct Verdict {
    double worst_z; // largest |z| of an entry
    double worst_z_bound;
    double mean_square_z; // over the entries; 1 is expected
    double mean_square_bound;
    double scale; // <mean, exact> / <exact, exact>; 1 is expected
    double scale_standard_error;
    double scale_z;
    double scale_z_bound;
    double constant_error; // of entries that do not vary; relative

    bool accepts() const;
    std::string describe() const;
};

/// Collects estimates of `exact` and judges their mean.
class MeanCheck {
  public:
    explicit MeanCheck(Tensor exact);
    template <class Estimate> void add(const Estimate &estimate, double factor = 1)
    {
        for (size_t i = 0; i < exact_.size(); ++i) {
            difference_[i] = factor * static_cast<double>(estimate[i]) - exact_[i];
        }
        add_difference();
    }
    Verdict verdict() const;

  private:
    void add_difference();
    double covariance(size_t i, size_t j) const;

    Tensor exact_;
    double exact_square_;
    Tensor difference_;
    int64_t count_ = 0;
    Tensor sums_;
    Tensor products_; // of differences; lower triangle, row by row
    Sample scale_;
};

/// The scales of several independent verdicts, averaged: an error that all share
/// shows far more clearly than in any one of them.
class ScalePool {
  public:
    void add(const Verdict &verdict);
    double scale() const { return sum_ / count_; }
    double standard_error() const;
    bool accepts() const;
    /// Larger scale errors are rejected with a probability of 99.9 %.
    double smallest_error_found() const;
    std::string describe() const;

  private:
    double count_ = 0;
    double sum_ = 0;
    double variances_ = 0;
};

/// Least-squares slope of y in x with its standard error, given the standard
/// error of every y.
struct Slope {
    double value;
    double standard_error;
};
Slope fit_slope(const std::vector<double> &x, const std::vector<double> &y,
                const std::vector<double> &y_error);

} // namespace statistics
