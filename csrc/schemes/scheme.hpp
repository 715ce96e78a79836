// A scheme, composed:
//     kept = quantize(project(x - mean)), and the mean itself.
// Each step is there or not; each is unbiased by itself, with randomness of its
// own, so every combination is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "backend.hpp"
#include "packing.hpp"
#include "schemes/deflation.hpp"
#include "schemes/projection.hpp"
#include "xconv/xconv.h"

namespace xconv {

class Scheme {
  public:
    /// Validates `desc`; throws Error naming the field and its value.
    Scheme(const Backend &backend, const ConvGeometry &geometry, const xconv_scheme_desc &desc,
           xconv_contraction requested, int64_t workspace_limit);

    /// What has to be kept until the backward pass.
    [[nodiscard]] int64_t kept_bytes() const;
    [[nodiscard]] xconv_contraction contraction() const { return projection_->contraction(); }
    /// What filter() costs, roughly (cost.hpp).
    [[nodiscard]] double cost() const { return projection_->cost(); }
    [[nodiscard]] int64_t sketch_workspace() const;
    [[nodiscard]] int64_t filter_workspace() const;
    [[nodiscard]] double scale() const { return projection_->scale(); }

    void sketch(const Backend &on, uint64_t seed, const void *x, void *kept, void *workspace) const;
    /// sum [Co][Ci/groups][K] such that E[scale() * sum] is the filter gradient.
    void filter(const Backend &on, uint64_t seed, const void *kept, const void *dy, void *sum,
                void *workspace) const;

    /// "independent r=16 rademacher, mean, 2 bits in groups of 256".
    [[nodiscard]] const std::string &name() const { return name_; }
    [[nodiscard]] std::string describe() const { return projection_->describe(); }

  private:
    struct Pieces {
        void *numbers; // in native precision, where those kept are not
        void *means;
        void *ones;    // filter of ones of dy, or null
        void *scratch; // the rest, for the step under way
    };
    [[nodiscard]] Pieces take(Arena &arena, bool means, bool ones) const;
    [[nodiscard]] int64_t numbers_bytes() const; // in native precision
    [[nodiscard]] int64_t means_bytes() const;
    [[nodiscard]] int64_t kept_means_bytes() const; // means come first
    [[nodiscard]] Dtype compute() const { return compute_dtype(geometry_.dtype); }

    ConvGeometry geometry_;
    std::unique_ptr<Projection> projection_;
    std::optional<Deflation> deflation_;
    std::optional<Packing> packing_; // of numbers
    std::optional<Packing> means_packing_;
    std::string name_;
};

} // namespace xconv
