#include "conv.hpp"

#include <cmath>
#include <utility>

#include "random.hpp"

namespace demo {
namespace {

xconv::Conv describe(const Conv::Shape &shape)
{
    return xconv::Conv()
        .batch(shape.batch)
        .channels(shape.in_channels, shape.out_channels)
        .in_size({shape.height, shape.width})
        .kernel({shape.kernel_height, shape.kernel_width})
        .padding(shape.pad);
}

/// Glorot's uniform initialisation.
void initialise(const Conv::Shape &shape, uint64_t seed, std::vector<float> &weight)
{
    const int64_t taps = shape.kernel_height * shape.kernel_width;
    const auto fans = static_cast<float>(taps * (shape.in_channels + shape.out_channels));
    const float bound = std::sqrt(6.0F / fans);
    Random random(seed);
    for (float &value : weight)
        value = bound * (2 * random.uniform() - 1);
}

} // namespace

Conv::Conv(Runtime &runtime, const Shape &shape, Keeps keeps, const xconv::Scheme &scheme,
           bool passes_gradient, uint64_t seed)
    : runtime_(runtime), shape_(shape), keeps_(keeps), passes_gradient_(passes_gradient),
      plan_(runtime.context, describe(shape),
            keeps == Keeps::sketch ? scheme : xconv::Scheme::exact()),
      weight_(plan_.w_count()), bias_(plan_.bias_count())
{
    initialise(shape, seed, weight_.value);
    if (runtime_.workspace.size() < plan_.workspace_bytes())
        runtime_.workspace.resize(plan_.workspace_bytes());
}

xconv::Conv Conv::geometry() const { return describe(shape_); }

Shared Conv::forward(Shared x, const Pass &pass)
{
    Shared y = runtime_.ledger.make(Kind::activation, plan_.y_count() * sizeof(float));
    const float *w = weight_.value.data();
    const float *bias = bias_.value.data();
    if (pass.training && keeps_ == Keeps::sketch) {
        kept_ = runtime_.ledger.make(Kind::sketch, plan_.sketch_bytes());
        seed_ = pass.seed;
        plan_.forward(x->floats(), w, bias, y->floats(), seed_, *kept_, runtime_.workspace);
    }
    else {
        plan_.forward(x->floats(), w, bias, y->floats(), runtime_.workspace);
        if (pass.training)
            kept_ = std::move(x);
    }
    return y;
}

Shared Conv::backward(Shared dy)
{
    const float *gradient = dy->floats();
    auto &workspace = runtime_.workspace;
    if (keeps_ == Keeps::sketch)
        plan_.backward_filter(*kept_, seed_, gradient, weight_.gradient.data(), workspace);
    else {
        const float *x = kept_->floats();
        plan_.backward_filter_exact(x, gradient, weight_.gradient.data(), workspace);
        if (runtime_.watch)
            runtime_.watch(*this, x, gradient);
    }
    kept_.reset();
    plan_.backward_bias(gradient, bias_.gradient.data());
    if (!passes_gradient_)
        return nullptr;
    Shared dx = runtime_.ledger.make(Kind::activation, input_bytes());
    plan_.backward_data<float>(weight_.value.data(), gradient, dx->floats(), workspace);
    return dx;
}

} // namespace demo
