// Max pooling that keeps the place of each winner, two bits for a 2x2 window.
#pragma once

#include "layer.hpp"

namespace demo {

class MaxPool final : public Layer {
  public:
    /// Windows of 2x2 that do not overlap; an odd last row or column is left out.
    MaxPool(Runtime &runtime, int64_t batch, int64_t channels, int64_t height, int64_t width);
    Shared forward(Shared x, const Pass &pass) override;
    Shared backward(Shared dy) override;

    [[nodiscard]] int64_t out_height() const { return pool_.out_size()[0]; }
    [[nodiscard]] int64_t out_width() const { return pool_.out_size()[1]; }

  private:
    Runtime &runtime_;
    xconv::MaxPool pool_;
    size_t x_bytes_;
    size_t y_bytes_;
    Shared index_;
};

} // namespace demo
