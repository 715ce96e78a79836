// Sign bits of probes as the products of signs.hpp take them.
#pragma once

#include "cpu/signs.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu::signs {

/// words[w][lane] of bits drawn as rows of `stride` words, one row for a lane.
inline void turn_words(const uint32_t *bits, int64_t stride, int64_t count, uint32_t *words)
{
    for (int64_t w = 0; w < count; ++w) {
        for (int64_t lane = 0; lane < kLanes; ++lane) {
            words[w * kLanes + lane] = bits[lane * stride + w];
        }
    }
}

} // namespace xconv::cpu::signs
