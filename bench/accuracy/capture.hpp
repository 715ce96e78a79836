// Inputs and output gradients of the demo network's convolutions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "estimator.hpp"
#include "parts.hpp"
#include "training.hpp"

namespace study {

/// One convolution during one backward pass.
struct Seen {
    size_t layer;
    const float *x;
    const float *dy;
    const std::vector<float> &dw; // exact
};

class Capture {
  public:
    /// Trains the network `settings.network` ("demo", or "wide" without the first
    /// pooling) for `settings.epochs`.
    explicit Capture(const Settings &settings);

    struct Layer {
        std::string name;
        demo::Conv::Shape shape;
        xconv::Conv geometry;
        Estimator exact;
    };
    /// The convolutions that a scheme applies to.
    [[nodiscard]] const std::vector<Layer> &layers() const { return layers_; }

    /// A forward and backward pass over one more mini-batch, the weights unchanged;
    /// `visit` is called for every layer.
    void next_batch(const std::function<void(const Seen &)> &visit);

  private:
    demo::Dataset data_;
    size_t batch_;
    demo::Trainer trainer_;
    std::vector<Layer> layers_;
    std::vector<uint32_t> order_;
    size_t used_ = 0; // images of order_
};

} // namespace study
