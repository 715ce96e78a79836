#include "plan.hpp"

#include <algorithm>
#include <array>

#include "checked.hpp"
#include "workspace.hpp"

namespace xconv {

namespace {

Distribution checked_distribution(xconv_distribution distribution)
{
    switch (distribution) {
    case XCONV_RADEMACHER:
        return Distribution::rademacher;
    case XCONV_GAUSSIAN:
        return Distribution::gaussian;
    case XCONV_UNIFORM:
        return Distribution::uniform;
    default:
        fail(XCONV_INVALID_ARGUMENT, "distribution = {}: not an xconv_distribution", distribution);
    }
}

const char *distribution_name(Distribution distribution)
{
    constexpr std::array names{"rademacher", "gaussian", "uniform"};
    return names.at(static_cast<size_t>(distribution));
}

/// The parts of a scheme that this version does not have yet.
void refuse_later_schemes(const xconv_scheme_desc &scheme)
{
    if (scheme.deflate_mean != 0 && scheme.deflate_mean != 1) {
        fail(XCONV_INVALID_ARGUMENT, "deflate_mean = {}: must be 0 or 1", scheme.deflate_mean);
    }
    if (scheme.bits != 0 && scheme.bits != 1 && scheme.bits != 2 && scheme.bits != 4 &&
        scheme.bits != 8) {
        fail(XCONV_INVALID_ARGUMENT, "bits = {}: must be 0, 1, 2, 4 or 8", scheme.bits);
    }
    if (scheme.group < 0 || (scheme.bits == 0 && scheme.group != 0)) {
        fail(XCONV_INVALID_ARGUMENT, "group = {}: must be 0 while bits is 0", scheme.group);
    }
    if (scheme.deflate_mean != 0) {
        fail(XCONV_UNSUPPORTED, "deflate_mean = {}: not in this version", scheme.deflate_mean);
    }
    if (scheme.bits != 0) {
        fail(XCONV_UNSUPPORTED, "bits = {}: not in this version", scheme.bits);
    }
}

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
    if (options.workspace_limit > 0) {
        return options.workspace_limit;
    }
    constexpr int64_t least = int64_t{32} << 20;
    return std::max(least, geometry.x_count() * element_bytes(geometry.dtype) / 4);
}

/// r with every product that later code forms from it proved to fit.
int64_t checked_probes(const xconv_scheme_desc &scheme, const ProjectionEntry &entry,
                       const ConvGeometry &g)
{
    if (!entry.random) {
        if (scheme.probes != 0) {
            fail(XCONV_INVALID_ARGUMENT, "probes = {}: must be 0 for {}", scheme.probes,
                 entry.name);
        }
        if (scheme.distribution != 0) {
            fail(XCONV_INVALID_ARGUMENT, "distribution = {}: must be 0 for {}", scheme.distribution,
                 entry.name);
        }
        return 0;
    }
    if (scheme.probes < 1) {
        fail(XCONV_INVALID_ARGUMENT, "probes = {}: must be at least 1", scheme.probes);
    }
    const int64_t bytes =
        checked_mul(scheme.probes, kSizeHeadroom * element_bytes(g.dtype), "probes");
    for (const int64_t count : {g.batch * g.in_channels, g.x_sample(), g.y_sample(),
                                checked_mul(g.batch * g.out_channels, g.kernel_points(), "dw")}) {
        static_cast<void>(checked_mul(bytes, count, "probes"));
    }
    return scheme.probes;
}

} // namespace

Plan::Plan(const Backend &backend, const PlanRequest &request)
    : geometry_(make_geometry(request.conv)), key_(backend.key()), flip_(request.conv.flip != 0)
{
    const ProjectionEntry &entry = find_projection(request.scheme.projection);
    const Distribution distribution = checked_distribution(request.scheme.distribution);
    refuse_later_schemes(request.scheme);
    const int64_t probes = checked_probes(request.scheme, entry, geometry_);
    const int64_t limit = workspace_limit(request.options, geometry_);
    const xconv_contraction contraction = checked_contraction(request.options.contraction);

    // The filter's own accumulator and mirror image come on top of a pass.
    const int64_t pass_limit = std::max<int64_t>(limit - 2 * w_bytes() - 2 * kAlignment, 1);
    projection_ = entry.make({backend, geometry_, distribution, probes, contraction, pass_limit});
    forward_ = backend.forward(geometry_, pass_limit);
    data_ = backend.backward_data(geometry_, pass_limit);
    filter_ = backend.backward_filter(geometry_, pass_limit);
    scheme_name_ = entry.random ? fmt::format("{} r={} {}", entry.name, probes,
                                              distribution_name(distribution))
                                : entry.name;
}

int64_t Plan::w_bytes() const { return geometry_.w_count() * element_bytes(geometry_.dtype); }

int64_t Plan::flip_bytes() const { return flip_ ? round_up(w_bytes(), kAlignment) : 0; }

std::string Plan::describe() const
{
    return fmt::format("{}{}\nscheme: {}, {} bytes kept of {}\nforward: {}\nbackward filter: {}\n"
                       "backward filter, exact: {}\nbackward data: {}\n",
                       geometry_.describe(), flip_ ? " flipped" : "", scheme_name_, sketch_bytes(),
                       geometry_.x_count() * element_bytes(geometry_.dtype), forward_->describe(),
                       projection_->describe(), filter_->describe(), data_->describe());
}

int64_t Plan::sketch_bytes() const
{
    return geometry_.batch * projection_->numbers_per_sample() * element_bytes(geometry_.dtype);
}

int64_t Plan::forward_workspace() const
{
    // y and the sketch are computed one after the other.
    return std::max(flip_bytes() + forward_->workspace(), projection_->sketch_workspace()) +
           kAlignment;
}

int64_t Plan::sketch_workspace() const { return projection_->sketch_workspace() + kAlignment; }

int64_t Plan::backward_filter_workspace() const
{
    return round_up(w_bytes(), kAlignment) + projection_->filter_workspace() + kAlignment;
}

int64_t Plan::backward_filter_exact_workspace() const
{
    return round_up(w_bytes(), kAlignment) + filter_->workspace() + kAlignment;
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
    on.finish_filter(geometry_.dtype, geometry_.w_count() / k, k, flip_, sum, scale, beta, dw);
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
    projection_->sketch(on, seed, x, sketch, workspace);
}

void Plan::backward_filter(const Backend &on, const void *sketch, uint64_t seed, const void *dy,
                           double beta, void *dw, void *workspace) const
{
    Arena arena(workspace);
    void *sum = arena.take(w_bytes());
    projection_->filter(on, seed, sketch, dy, sum, arena.take(projection_->filter_workspace()));
    finish(on, sum, projection_->scale(), beta, dw);
}

void Plan::backward_filter_exact(const Backend &on, const void *x, const void *dy, double beta,
                                 void *dw, void *workspace) const
{
    Arena arena(workspace);
    void *sum = arena.take(w_bytes());
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
    on.backward_bias(geometry_, dy, beta, db);
}

} // namespace xconv
