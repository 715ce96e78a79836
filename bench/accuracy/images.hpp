// Inputs of single layers: images from a data set, or noise.
#pragma once

#include <cstdint>
#include <vector>

#include "dataset.hpp"
#include "random.hpp"

namespace study {

/// Standard normal numbers that are the same everywhere.
class Normal {
  public:
    explicit Normal(uint64_t seed) : random_(seed) {}
    float operator()();

  private:
    demo::Random random_;
};

std::vector<float> normal_numbers(size_t count, uint64_t seed);

/// `planes` planes of size x size pixels on [0, 1], each cut out of a mosaic of random
/// images: larger planes show more of the same, not the same larger.
std::vector<float> mosaics(const demo::Images &images, size_t planes, size_t size, uint64_t seed);

/// Glorot's uniform initialisation, as the demo's layers.
std::vector<float> glorot_weights(size_t in_channels, size_t out_channels, size_t taps,
                                  uint64_t seed);

} // namespace study
