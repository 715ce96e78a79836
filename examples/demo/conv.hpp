// A two-dimensional convolution with bias that keeps its input or a sketch.
#pragma once

#include "layer.hpp"

namespace demo {

class Conv final : public Layer {
  public:
    struct Shape {
        int64_t batch, in_channels, out_channels, height, width;
        int64_t kernel_height, kernel_width, pad;
    };
    enum class Keeps { input, sketch };

    /// `scheme` says what a layer that keeps a sketch keeps. One that does not
    /// pass a gradient on, the first of a network, computes none. `seed` draws
    /// the initial weights.
    Conv(Runtime &runtime, const Shape &shape, Keeps keeps, const xconv::Scheme &scheme,
         bool passes_gradient, uint64_t seed);

    Shared forward(Shared x, const Pass &pass) override;
    Shared backward(Shared dy) override;
    std::vector<Parameter *> parameters() override { return {&weight_, &bias_}; }

    [[nodiscard]] const Shape &shape() const { return shape_; }
    [[nodiscard]] xconv::Conv geometry() const;
    [[nodiscard]] size_t input_bytes() const { return plan_.x_count() * sizeof(float); }
    /// Bytes of what this layer holds in place of its input right now.
    [[nodiscard]] size_t held_bytes() const { return kept_ ? kept_->size() : 0; }

  private:
    Runtime &runtime_;
    Shape shape_;
    Keeps keeps_;
    bool passes_gradient_;
    xconv::Plan plan_;
    Parameter weight_;
    Parameter bias_;
    Shared kept_; // x or its sketch
    uint64_t seed_ = 0;
};

} // namespace demo
