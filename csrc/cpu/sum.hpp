// Sums of tensors' elements, in an order that depends on the count alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "cpu/simd.hpp"

namespace xconv::cpu {

/// Eight running sums let the compiler use vectors without reordering anything.
class RunningSums {
  public:
    /// A multiple of 8 numbers.
    template <class T> void add(const T *values, int64_t count)
    {
        for (int64_t i = 0; i < count; i += 8) {
            for (size_t lane = 0; lane < 8; ++lane) {
                lanes_[lane] += static_cast<double>(values[i + static_cast<int64_t>(lane)]);
            }
        }
    }
    [[nodiscard]] double total(double rest) const
    {
        return std::accumulate(lanes_.begin(), lanes_.end(), rest);
    }

  private:
    std::array<double, 8> lanes_{};
};

template <class T> inline double sum_of(const T *values, int64_t count)
{
    RunningSums sums;
    const int64_t whole = count / 8 * 8;
    if constexpr (is_half<T>) {
        constexpr int64_t piece = 512;
        std::array<float, piece> wide;
        for (int64_t i = 0; i < whole; i += piece) {
            const int64_t here = std::min(piece, whole - i);
            best_simd_variant().halves<T>().widen(values + i, here, wide.data());
            sums.add(wide.data(), here);
        }
    }
    else {
        sums.add(values, whole);
    }
    double rest = 0;
    for (int64_t i = whole; i < count; ++i) {
        rest += static_cast<double>(values[i]);
    }
    return sums.total(rest);
}

} // namespace xconv::cpu
