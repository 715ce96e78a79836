#include "estimator.hpp"

namespace study {

Estimator::Estimator(const xconv::Context &context, const xconv::Conv &geometry,
                     const xconv::Scheme &scheme)
    : plan_(context, geometry, scheme), sketch_(plan_.new_sketch()),
      workspace_(plan_.new_workspace()), dw_(plan_.w_count())
{
}

const std::vector<float> &Estimator::draw(const float *x, const float *dy, uint64_t seed)
{
    plan_.sketch(x, seed, sketch_, workspace_);
    plan_.backward_filter(sketch_, seed, dy, dw_.data(), workspace_);
    return dw_;
}

const std::vector<float> &Estimator::exact(const float *x, const float *dy)
{
    plan_.backward_filter_exact(x, dy, dw_.data(), workspace_);
    return dw_;
}

void Estimator::forward(const float *x, const float *w, float *y)
{
    plan_.forward(x, w, nullptr, y, workspace_);
}

} // namespace study
