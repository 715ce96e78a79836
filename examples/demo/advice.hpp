// What XConv advises for the demo's network.
#pragma once

#include <string>
#include <vector>

#include <xconv/xconv.hpp>

#include "dataset.hpp"
#include "training.hpp"

namespace demo {

/// What XConv advises for one convolution.
struct LayerAdvice {
    std::string layer;
    xconv::AdviceList list;
};
/// Train exactly for a few steps, then measure schemes on the next batch as it meets
/// every convolution that a scheme applies to.
std::vector<LayerAdvice> advise(const Dataset &data, const TrainingOptions &options);

} // namespace demo
