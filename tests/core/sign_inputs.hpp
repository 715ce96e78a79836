// Inputs for tests of products with signs.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "probe_entry.hpp"

namespace sign_inputs {

using Floats = std::vector<float>;

inline Floats whole_numbers(int64_t count, int64_t largest, std::mt19937_64 &bits)
{
    Floats values(static_cast<size_t>(count));
    for (float &value : values) {
        const auto range = static_cast<uint64_t>(2 * largest + 1);
        value = static_cast<float>(static_cast<int64_t>(bits() % range) - largest);
    }
    return values;
}

/// The entry of a window of Rademacher probes, by the definition.
inline float sign(const xconv::Probes &probes, int64_t row, int64_t column)
{
    return xconv::probe_entry<float>(probes.seed, xconv::Distribution::rademacher, probes.row + row,
                                     probes.column + column);
}

inline xconv::Probes draw_window(std::mt19937_64 &bits)
{
    const uint64_t seed = bits();
    const auto row = static_cast<int64_t>(bits() % 1000);
    return {seed, xconv::Distribution::rademacher, row, static_cast<int64_t>(bits() % 50)};
}

} // namespace sign_inputs
