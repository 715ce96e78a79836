// Estimates of one layer's filter gradient with one scheme.
#pragma once

#include <cstdint>
#include <vector>

#include <xconv/xconv.hpp>

namespace study {

class Estimator {
  public:
    Estimator(const xconv::Context &context, const xconv::Conv &geometry,
              const xconv::Scheme &scheme = xconv::Scheme::exact());

    /// One draw; valid until the next.
    const std::vector<float> &draw(const float *x, const float *dy, uint64_t seed);
    const std::vector<float> &exact(const float *x, const float *dy);
    void forward(const float *x, const float *w, float *y);

    [[nodiscard]] size_t kept_bytes() const { return sketch_.size(); }
    [[nodiscard]] const xconv::Plan &plan() const { return plan_; }

  private:
    xconv::Plan plan_;
    xconv::Buffer sketch_;
    xconv::Buffer workspace_;
    std::vector<float> dw_;
};

} // namespace study
