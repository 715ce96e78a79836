// Measurements on one layer's own tensors: the noise and the time of a scheme, and
// the noise that the mini-batch brings by itself.
#pragma once

#include <cstdint>
#include <vector>

#include "backend.hpp"
#include "cost.hpp"
#include "geometry.hpp"
#include "schemes/scheme.hpp"
#include "workspace.hpp"
#include "xconv/xconv.h"

namespace xconv {

/// A layer with one batch. Pointers are device memory; the workspace is as large as
/// the measurement asks for, and aligned.
struct Specimen {
    const Backend &on;
    const ConvGeometry &geometry;
    const void *x;
    const void *dy;
    void *workspace;
};

/// The filter gradient of the batch, read back. Its taps are those of a
/// cross-correlation; no measurement here depends on their order.
struct ExactGradient {
    std::vector<double> dw;
    double square; // |dw|^2
};
[[nodiscard]] ExactGradient exact_gradient(const Specimen &specimen);
[[nodiscard]] int64_t exact_gradient_workspace(const Backend &on, const ConvGeometry &geometry);

/// Noise of the mini-batch as a sample of all data, relative to |dw|^2. NaN for a
/// batch of one, which cannot tell.
///
/// dw is a sum of one gradient for each of B samples. If these are independent with
/// variance s^2 (the trace of their covariance), the variance of dw is B s^2. The
/// batch is cut into parts; part j, of m_j samples, has the gradient G_j with variance
/// m_j s^2, and
///     sum over n parts of |G_j - m_j dw / B|^2 / m_j   has the mean   (n - 1) s^2.
[[nodiscard]] double batch_noise(const Specimen &specimen, const ExactGradient &exact);
[[nodiscard]] int64_t batch_noise_workspace(const Backend &on, const ConvGeometry &geometry);

/// Estimates to make with a scheme: no more than it takes to know its variance to a
/// fiftieth, which for a large layer are few.
struct Draws {
    int least;
    int most;
};

/// What one scheme does to the gradient, over some draws.
struct Measurement {
    int64_t kept_bytes;
    double relative_variance;
    double variance_error; // its standard error
    double milliseconds;   // median
    int draws;
};
class SchemeMeter {
  public:
    SchemeMeter(const Backend &on, const ConvGeometry &geometry, const xconv_scheme_desc &scheme);

    [[nodiscard]] const xconv_scheme_desc &scheme() const { return desc_; }
    /// Whether it keeps x as it is: it lies there already.
    [[nodiscard]] bool keeps_x() const;
    [[nodiscard]] int64_t kept_bytes() const { return scheme_.kept_bytes(); }
    /// What an estimate costs, in exact gradients, roughly.
    [[nodiscard]] double cost() const { return scheme_.cost() / filter_cost(geometry_); }
    [[nodiscard]] int64_t workspace() const;
    [[nodiscard]] Measurement run(const Specimen &specimen, const ExactGradient &exact,
                                  const Draws &draws, uint64_t seed) const;

  private:
    struct Pieces {
        void *sum;
        void *kept;
        void *scratch;
    };
    [[nodiscard]] Pieces take(Arena &arena) const;

    ConvGeometry geometry_;
    xconv_scheme_desc desc_;
    Scheme scheme_;
};

} // namespace xconv
