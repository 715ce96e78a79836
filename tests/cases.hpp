// Geometries to test on: the special ones by name, the rest drawn at random.
#pragma once

#include <vector>

#include "oracle.hpp"
#include "support.hpp"

namespace cases {

/// One small geometry; every draw is valid (its output is not empty).
oracle::Conv draw_conv(support::Random &random);
oracle::Pool draw_pool(support::Random &random);

/// What a random draw could miss: batch 1, depthwise, 1x1 and even kernels, a
/// kernel larger than its input, pads larger than the kernel, one of everything.
std::vector<oracle::Conv> special_convs();

struct Named {
    const char *name;
    oracle::Conv conv;
};
/// One geometry for each way in which an estimator could go wrong at a border.
std::vector<Named> statistical_convs();

/// Shorthand for rank 2.
oracle::Conv conv2d(int64_t batch, int64_t in_channels, int64_t out_channels, int64_t size,
                    int64_t kernel, int64_t pad);

} // namespace cases
