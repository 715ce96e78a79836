// Philox4x32-10: counter-based random bits, the same on every device.
//
// Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011. A block of four 32-bit words is a pure function of a 128-bit counter
// and a 64-bit key, so any part of a random matrix can be drawn anywhere, in any
// order. This is also the stream of cuRAND's Philox4_32_10 generator:
// curand_init(key, subsequence, 4 * index) then curand4() gives
// philox_block(key, index, subsequence).
#pragma once

#include <cstdint>

#include "host_device.hpp"

namespace xconv {

struct PhiloxBlock {
    uint32_t word[4];
};

/// The two multipliers and the two key increments (Weyl constants) of Philox4x32.
struct PhiloxConstants {
    static constexpr uint32_t multiplier0 = 0xD2511F53;
    static constexpr uint32_t multiplier1 = 0xCD9E8D57;
    static constexpr uint32_t weyl0 = 0x9E3779B9;
    static constexpr uint32_t weyl1 = 0xBB67AE85;
    static constexpr int rounds = 10;
};

XCONV_HOST_DEVICE inline PhiloxBlock philox4x32_10(PhiloxBlock counter, uint32_t key0,
                                                   uint32_t key1)
{
    using C = PhiloxConstants;
    for (int round = 0; round < C::rounds; ++round) {
        const uint64_t a = uint64_t{C::multiplier0} * counter.word[0];
        const uint64_t b = uint64_t{C::multiplier1} * counter.word[2];
        counter = {
            {static_cast<uint32_t>(b >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(b),
             static_cast<uint32_t>(a >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(a)}};
        key0 += C::weyl0;
        key1 += C::weyl1;
    }
    return counter;
}

/// Block `index` of stream `subsequence` under `seed`.
XCONV_HOST_DEVICE inline PhiloxBlock philox_block(uint64_t seed, uint64_t index,
                                                  uint64_t subsequence)
{
    return philox4x32_10(
        {{static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
          static_cast<uint32_t>(subsequence), static_cast<uint32_t>(subsequence >> 32)}},
        static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

} // namespace xconv
