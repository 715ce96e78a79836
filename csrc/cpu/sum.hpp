// Sums of tensors' elements, in an order that depends on the count alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace xconv::cpu {

/// Eight running sums let the compiler use vectors without reordering anything.
template <class T> inline double sum_of(const T *values, int64_t count)
{
    std::array<double, 8> lanes{};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (size_t lane = 0; lane < 8; ++lane) {
            lanes[lane] += static_cast<double>(values[i + static_cast<int64_t>(lane)]);
        }
    }
    double total = 0;
    for (; i < count; ++i) {
        total += static_cast<double>(values[i]);
    }
    for (const double lane : lanes) {
        total += lane;
    }
    return total;
}

} // namespace xconv::cpu
