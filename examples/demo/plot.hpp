// The advice of XConv as a picture: noise against bytes, a panel for each layer.
#pragma once

#include <string>
#include <vector>

#include "advice.hpp"

namespace demo {

/// An SVG document.
std::string advice_plot(const std::vector<LayerAdvice> &layers);

} // namespace demo
