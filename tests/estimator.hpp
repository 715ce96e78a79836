// The estimator as the tests see it: the library's own sketch, read back number
// by number, and plain loops for everything that follows from it.
#pragma once

#include <cstdint>
#include <vector>

#include "oracle.hpp"
#include "support.hpp"

namespace estimator {

using oracle::Conv;
using oracle::Tensor;
using support::Scheme;

/// The projections with random probes, and the distributions of those.
inline constexpr xconv_projection projections[] = {XCONV_DENSE, XCONV_ORTHOGONAL,
                                                   XCONV_INDEPENDENT};
inline constexpr xconv_distribution distributions[] = {XCONV_RADEMACHER, XCONV_GAUSSIAN,
                                                       XCONV_UNIFORM};
/// The widths of numbers that are packed.
inline constexpr int few_bits[] = {1, 2, 4, 8};

/// Probes of any of these alone, up to 20.
Scheme draw_scheme(support::Random &random);

/// Probing vectors that each input channel meets: what the estimate averages over.
int64_t probes_per_channel(const Scheme &scheme, int64_t in_channels);
/// Numbers of the projection kept of one sample, as xconv.h promises.
int64_t kept_per_sample(const Scheme &scheme, const Conv &conv);

/// Sketching is linear, so the sketches of unit vectors spell out its matrix S:
/// kept_per_sample() rows of Ci * N. The scale of a sketch is the library's own
/// affair; here S is scaled to probes of unit variance.
class SketchMatrix {
  public:
    /// Read from the library, in element type T.
    template <class T>
    static SketchMatrix read(const Conv &conv, const Scheme &scheme, uint64_t seed);

    const std::vector<Tensor> &rows() const { return rows_; }
    /// Does probe `row` meet channel `channel` at all?
    bool meets(size_t row, int64_t channel) const;
    /// Reconstruction of all samples of x: Sᵀ S x / probes_per_channel.
    Tensor reconstruct(const Tensor &x) const;
    /// The same with every term taken absolute: bounds rounding errors.
    Tensor reconstruct_absolute(const Tensor &x) const;
    /// With mean deflation: the channel means of x, and of the rest what probes that
    /// sum to 0 over every channel make of it.
    Tensor reconstruct_deflated(const Tensor &x) const;
    Tensor reconstruct_deflated_absolute(const Tensor &x) const;

  private:
    std::vector<Tensor> rows_;
    int64_t channels_ = 1;
    double divisor_ = 1;
};

/// The estimate of entry e is the sum over b of <G_b, x-hat_b>: returns G, the
/// shape of x.
Tensor linear_form(const Conv &conv, const Tensor &dy, int64_t entry);

/// Variance of every entry of the estimate, from the formula; `sketch` only
/// tells which channels share a probe.
Tensor variance(const Conv &conv, const Scheme &scheme, const SketchMatrix &sketch, const Tensor &x,
                const Tensor &dy);

} // namespace estimator
