// A plan: one convolution geometry with one scheme, prepared for one kind of
// backend. Immutable after construction.
#pragma once

#include <memory>
#include <string>

#include "backend.hpp"
#include "geometry.hpp"
#include "schemes/scheme.hpp"
#include "xconv/xconv.h"

namespace xconv {

/// What xconv_plan_create was given, with defaults filled in.
struct PlanRequest {
    xconv_conv_desc conv;
    xconv_scheme_desc scheme;
    xconv_plan_options options;
};

/// Bytes a pass aims to stay below when the caller does not care.
int64_t default_workspace_limit(const ConvGeometry &geometry);
/// Of dw and db; throws Error naming the field and its value.
Dtype checked_dw_dtype(const xconv_conv_desc &conv, const ConvGeometry &geometry);

class Plan {
  public:
    /// Validates everything; throws Error naming the field and its value.
    Plan(const Backend &backend, const PlanRequest &request);

    [[nodiscard]] const ConvGeometry &geometry() const { return geometry_; }
    /// Of dw and db.
    [[nodiscard]] Dtype dw_dtype() const { return dw_dtype_; }
    [[nodiscard]] const Backend::Key &key() const { return key_; }
    [[nodiscard]] xconv_contraction contraction() const { return scheme_->contraction(); }
    [[nodiscard]] std::string describe() const;

    /// Bytes.
    [[nodiscard]] int64_t sketch_bytes() const;
    [[nodiscard]] int64_t forward_workspace() const;
    [[nodiscard]] int64_t sketch_workspace() const;
    [[nodiscard]] int64_t backward_filter_workspace() const;
    [[nodiscard]] int64_t backward_filter_exact_workspace() const;
    [[nodiscard]] int64_t backward_data_workspace() const;

    /// The passes, as xconv.h documents them; arguments are already checked.
    void forward(const Backend &on, const void *x, const void *w, const void *bias, void *y,
                 void *workspace) const;
    void sketch(const Backend &on, const void *x, uint64_t seed, void *sketch,
                void *workspace) const;
    void backward_filter(const Backend &on, const void *sketch, uint64_t seed, const void *dy,
                         double beta, void *dw, void *workspace) const;
    void backward_filter_exact(const Backend &on, const void *x, const void *dy, double beta,
                               void *dw, void *workspace) const;
    void backward_data(const Backend &on, const void *w, const void *dy, void *dx,
                       void *workspace) const;
    void backward_bias(const Backend &on, const void *dy, double beta, void *db) const;

  private:
    void finish(const Backend &on, const void *sum, double scale, double beta, void *dw) const;
    [[nodiscard]] const void *cross_correlation_filter(const Backend &on, const void *w,
                                                       void *mirrored) const;
    [[nodiscard]] int64_t w_bytes() const;
    [[nodiscard]] int64_t sum_bytes() const; // of the gradient before it is finished
    [[nodiscard]] int64_t flip_bytes() const;

    ConvGeometry geometry_;
    Dtype dw_dtype_;
    Backend::Key key_;
    bool flip_;
    std::unique_ptr<Scheme> scheme_;
    std::unique_ptr<ForwardPass> forward_;
    std::unique_ptr<DataPass> data_;
    std::unique_ptr<FilterPass> filter_;
};

} // namespace xconv
