// The expectation of the estimator that the paper's code computes.
#pragma once

#include <vector>

#include "conv.hpp"

namespace study {

/// That code shifts each channel of the probing vectors as one long circular row,
/// by rows * width + columns: at a border, numbers come in from the other side. On
/// average it gives this filter gradient, whatever the number of probes. Kernels of
/// odd size, padded so that the image keeps its size.
std::vector<float> circular_filter_gradient(const demo::Conv::Shape &shape, const float *x,
                                            const float *dy);

} // namespace study
