// Rectified linear units, keeping one bit per element or their whole output.
#pragma once

#include "layer.hpp"

namespace demo {

/// XConv's: the backward pass needs only to know which elements were positive.
class BitRelu final : public Layer {
  public:
    BitRelu(Runtime &runtime, int64_t count) : runtime_(runtime), relu_(runtime.context, count) {}
    Shared forward(Shared x, const Pass &pass) override;
    Shared backward(Shared dy) override;

  private:
    Runtime &runtime_;
    xconv::Relu relu_;
    Shared mask_;
};

/// As frameworks do it: the output is kept.
class PlainRelu final : public Layer {
  public:
    PlainRelu(Runtime &runtime, int64_t count)
        : relu_(runtime.context, count), count_(count), threads_(runtime.context.threads())
    {
    }
    Shared forward(Shared x, const Pass &pass) override;
    Shared backward(Shared dy) override;

  private:
    xconv::Relu relu_;
    int64_t count_;
    int threads_;
    Shared output_;
};

} // namespace demo
