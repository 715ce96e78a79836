// The manuscript's network for 28x28 grey-scale images.
#pragma once

#include <memory>
#include <vector>

#include "conv.hpp"
#include "layer.hpp"
#include "scheme.hpp"

namespace demo {

/// Three times convolution 3x3, ReLU and max pooling 2x2, with 16, 32 and 32
/// channels; then one dense layer. Without pooling after the first convolution the
/// later ones work on images twice as high and wide.
///
/// The first convolution is exact in every run: its input, the images, is in
/// memory anyway, and so it is left out of every count. The dense layer is
/// exact too, and its input counts.
class Network {
  public:
    struct Shape {
        int64_t batch, height, width, classes;
        bool pool_first = true;
    };

    /// The initial weights depend on `seed` and the shape, not on the scheme.
    Network(Runtime &runtime, const Shape &shape, const Scheme &scheme, uint64_t seed);

    /// Class scores, [batch][classes].
    Shared forward(Shared images, const Pass &pass);
    /// Fills the parameters' gradients from that of the scores.
    void backward(Shared dscores);
    std::vector<Parameter *> parameters();

    /// The convolutions a scheme applies to: all but the first.
    [[nodiscard]] const std::vector<const Conv *> &sketched() const { return sketched_; }
    /// Of these: bytes of their inputs, and of what they hold instead right now.
    [[nodiscard]] size_t conv_input_bytes() const;
    [[nodiscard]] size_t conv_held_bytes() const;

  private:
    void add_relu(bool plain, int64_t count);

    Runtime &runtime_;
    std::vector<std::unique_ptr<Layer>> layers_;
    std::vector<const Conv *> sketched_;
};

} // namespace demo
