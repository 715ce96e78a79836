#include "adam.hpp"

#include <cmath>

namespace demo {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr float kEpsilon = 1e-8F;

} // namespace

Adam::Adam(const std::vector<Parameter *> &parameters, double learning_rate)
    : learning_rate_(learning_rate)
{
    for (Parameter *parameter : parameters) {
        const size_t count = parameter->value.size();
        slots_.push_back({parameter, std::vector<float>(count), std::vector<float>(count)});
    }
}

void Adam::step()
{
    ++steps_;
    // The running means start at 0; these factors take that bias away.
    const double unbias1 = 1 / (1 - std::pow(kBeta1, steps_));
    const double unbias2 = 1 / (1 - std::pow(kBeta2, steps_));
    const auto rate = static_cast<float>(learning_rate_ * unbias1);
    const auto scale = static_cast<float>(unbias2);
    constexpr auto keep1 = static_cast<float>(kBeta1);
    constexpr auto keep2 = static_cast<float>(kBeta2);
    for (Slot &slot : slots_)
        for (size_t i = 0; i < slot.mean.size(); ++i) {
            const float gradient = slot.parameter->gradient[i];
            slot.mean[i] = keep1 * slot.mean[i] + (1 - keep1) * gradient;
            slot.square[i] = keep2 * slot.square[i] + (1 - keep2) * gradient * gradient;
            slot.parameter->value[i] -=
                rate * slot.mean[i] / (std::sqrt(scale * slot.square[i]) + kEpsilon);
        }
}

} // namespace demo
