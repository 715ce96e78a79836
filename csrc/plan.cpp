#include "plan.hpp"

#include <algorithm>

#include "checked.hpp"
#include "workspace.hpp"

namespace xconv {

namespace {

xconv_contraction checked_contraction(xconv_contraction contraction)
{
    if (contraction < XCONV_CONTRACTION_AUTO || contraction > XCONV_X_FIRST) {
        fail(XCONV_INVALID_ARGUMENT, "contraction = {}: not an xconv_contraction", contraction);
    }
    return contraction;
}

int64_t workspace_limit(const xconv_plan_options &options, const ConvGeometry &geometry)
{
    if (options.workspace_limit < 0) {
        fail(XCONV_INVALID_ARGUMENT, "workspace_limit = {}: must not be negative",
             options.workspace_limit);
    }
    return options.workspace_limit > 0 ? options.workspace_limit
                                       : default_workspace_limit(geometry);
}

} // namespace

int64_t default_workspace_limit(const ConvGeometry &geometry)
{
    constexpr int64_t least = int64_t{32} << 20;
    const int64_t element = element_bytes(geometry.dtype);
    return std::max({least, geometry.x_count() * element / 4, 3 * geometry.w_count() * element});
}

Dtype checked_dw_dtype(const xconv_conv_desc &conv, const ConvGeometry &geometry)
{
    if (conv.float32_dw != 0 && conv.float32_dw != 1) {
        fail(XCONV_INVALID_ARGUMENT, "float32_dw = {}: must be 0 or 1", conv.float32_dw);
    }
    if (conv.float32_dw == 1 && geometry.dtype == Dtype::f64) {
        fail(XCONV_INVALID_ARGUMENT, "float32_dw = 1: must be 0 for tensors of Float64");
    }
    return conv.float32_dw == 1 ? Dtype::f32 : geometry.dtype;
}

Plan::Plan(const Backend &backend, const PlanRequest &request)
    : geometry_(make_geometry(request.conv)), dw_dtype_(checked_dw_dtype(request.conv, geometry_)),
      key_(backend.key()), flip_(request.conv.flip != 0)
{
    const int64_t limit = workspace_limit(request.options, geometry_);
    const xconv_contraction contraction = checked_contraction(request.options.contraction);

    // What a pass shares the workspace with: the gradient's sum, or a filter's mirror image;
    // and a little for what libraries allocate themselves.
    const auto beside = [&](int64_t bytes) {
        return std::max<int64_t>(limit - limit / 64 - bytes - 2 * kAlignment, 1);
    };
    const int64_t filter_limit = beside(sum_bytes());
    const int64_t limit_of_others = beside(flip_bytes());
    scheme_ =
        std::make_unique<Scheme>(backend, geometry_, request.scheme, contraction, filter_limit);
    forward_ = backend.forward(geometry_, limit_of_others);
    data_ = backend.backward_data(geometry_, limit_of_others);
    filter_ = backend.backward_filter(geometry_, filter_limit);
}

int64_t Plan::w_bytes() const { return geometry_.w_count() * element_bytes(geometry_.dtype); }

int64_t Plan::sum_bytes() const
{
    return geometry_.w_count() * element_bytes(compute_dtype(geometry_.dtype));
}

int64_t Plan::flip_bytes() const { return flip_ ? round_up(w_bytes(), kAlignment) : 0; }

std::string Plan::describe() const
{
    return fmt::format("{}{}\nscheme: {}, {} bytes kept of {}\nforward: {}\nbackward filter: {}\n"
                       "backward filter, exact: {}\nbackward data: {}\n",
                       geometry_.describe(), flip_ ? " flipped" : "", scheme_->name(),
                       sketch_bytes(), geometry_.x_count() * element_bytes(geometry_.dtype),
                       forward_->describe(), scheme_->describe(), filter_->describe(),
                       data_->describe());
}

int64_t Plan::sketch_bytes() const { return scheme_->kept_bytes(); }

int64_t Plan::forward_workspace() const
{
    // y and the sketch are computed one after the other.
    return std::max(flip_bytes() + forward_->workspace(), scheme_->sketch_workspace()) + kAlignment;
}

int64_t Plan::sketch_workspace() const { return scheme_->sketch_workspace() + kAlignment; }

int64_t Plan::backward_filter_workspace() const
{
    return round_up(sum_bytes(), kAlignment) + scheme_->filter_workspace() + kAlignment;
}

int64_t Plan::backward_filter_exact_workspace() const
{
    return round_up(sum_bytes(), kAlignment) + filter_->workspace() + kAlignment;
}

int64_t Plan::backward_data_workspace() const
{
    return flip_bytes() + data_->workspace() + kAlignment;
}

const void *Plan::cross_correlation_filter(const Backend &on, const void *w, void *mirrored) const
{
    if (!flip_) {
        return w;
    }
    const int64_t k = geometry_.kernel_points();
    on.mirror(geometry_.dtype, w, geometry_.w_count() / k, k, mirrored);
    return mirrored;
}

void Plan::finish(const Backend &on, const void *sum, double scale, double beta, void *dw) const
{
    const int64_t k = geometry_.kernel_points();
    on.finish_filter(compute_dtype(geometry_.dtype), geometry_.w_count() / k, k, flip_, sum, scale,
                     beta, dw_dtype_, dw);
}

void Plan::forward(const Backend &on, const void *x, const void *w, const void *bias, void *y,
                   void *workspace) const
{
    Arena arena(workspace);
    void *mirrored = arena.take(flip_bytes());
    forward_->run(on, x, cross_correlation_filter(on, w, mirrored), bias, y,
                  arena.take(forward_->workspace()));
}

void Plan::sketch(const Backend &on, const void *x, uint64_t seed, void *sketch,
                  void *workspace) const
{
    scheme_->sketch(on, seed, x, sketch, workspace);
}

void Plan::backward_filter(const Backend &on, const void *sketch, uint64_t seed, const void *dy,
                           double beta, void *dw, void *workspace) const
{
    Arena arena(workspace);
    void *sum = arena.take(sum_bytes());
    scheme_->filter(on, seed, sketch, dy, sum, arena.take(scheme_->filter_workspace()));
    finish(on, sum, scheme_->scale(), beta, dw);
}

void Plan::backward_filter_exact(const Backend &on, const void *x, const void *dy, double beta,
                                 void *dw, void *workspace) const
{
    Arena arena(workspace);
    void *sum = arena.take(sum_bytes());
    filter_->run(on, x, dy, false, sum, arena.take(filter_->workspace()));
    finish(on, sum, 1.0, beta, dw);
}

void Plan::backward_data(const Backend &on, const void *w, const void *dy, void *dx,
                         void *workspace) const
{
    Arena arena(workspace);
    void *mirrored = arena.take(flip_bytes());
    data_->run(on, cross_correlation_filter(on, w, mirrored), dy, dx,
               arena.take(data_->workspace()));
}

void Plan::backward_bias(const Backend &on, const void *dy, double beta, void *db) const
{
    on.backward_bias(geometry_, dy, beta, dw_dtype_, db);
}

} // namespace xconv
