// What a layer of the demo's networks is.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <xconv/xconv.hpp>

#include "adam.hpp"
#include "buffer.hpp"

namespace demo {

class Conv;

using Watcher = std::function<void(const Conv &layer, const float *x, const float *dy)>;

/// What the layers of one network share.
struct Runtime {
    xconv::Context context;
    Ledger ledger;
    std::vector<std::byte> workspace; // scratch of one call: nothing in it is kept
    /// When set: sees input and output gradient of every convolution that keeps its
    /// input, in each backward pass.
    Watcher watch = {};
};

/// One forward pass: inference keeps nothing.
struct Pass {
    bool training = false;
    uint64_t seed = 0; // of this step's sketches
};

/// A layer owns whatever it needs between forward and backward and lets go of
/// it in backward.
class Layer {
  public:
    Layer() = default;
    Layer(const Layer &) = delete;
    Layer &operator=(const Layer &) = delete;
    virtual ~Layer() = default;

    /// Takes the caller's share of x: unless the layer keeps it, x is gone.
    virtual Shared forward(Shared x, const Pass &pass) = 0;
    /// Takes the gradient of the layer's output and returns that of its input,
    /// which is null where nobody needs it.
    virtual Shared backward(Shared dy) = 0;
    virtual std::vector<Parameter *> parameters() { return {}; }
};

} // namespace demo
