// The Adam optimiser (Kingma and Ba, 2015) with its usual constants.
#pragma once

#include <cstddef>
#include <vector>

namespace demo {

/// Weights of a layer with the gradient its backward pass left.
struct Parameter {
    std::vector<float> value;
    std::vector<float> gradient;

    explicit Parameter(size_t count) : value(count), gradient(count) {}
};

class Adam {
  public:
    Adam(const std::vector<Parameter *> &parameters, double learning_rate);

    /// Move every parameter by its gradient.
    void step();

  private:
    struct Slot {
        Parameter *parameter;
        std::vector<float> mean;   // running mean of the gradient
        std::vector<float> square; // and of its square
    };
    std::vector<Slot> slots_;
    double learning_rate_;
    int steps_ = 0;
};

} // namespace demo
