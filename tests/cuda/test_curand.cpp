// cuRAND's generator, as device code calls it, against philox_block(). Its device
// functions are plain C++, so they run here.
#define QUALIFIERS static inline
#include <cuda_runtime.h>
#include <curand_kernel.h>

#include "../catch.hpp"
#include "philox.hpp"

TEST_CASE("philox_block is cuRAND's Philox4_32_10 stream", "[curand]")
{
    const uint64_t seeds[] = {0, 1, 0x123456789ABCDEFU, ~uint64_t{0}};
    // Rounding uses subsequences with the top bit set; rows may exceed 32 bits.
    const uint64_t subsequences[] = {0, 77, uint64_t{1} << 32U, uint64_t{1} << 63U,
                                     (uint64_t{3} << 62U) + 12345};
    const uint64_t indices[] = {0, 1, 0xFFFFFFFFU, 0x123456789U};
    for (const uint64_t seed : seeds) {
        for (const uint64_t subsequence : subsequences) {
            for (const uint64_t index : indices) {
                curandStatePhilox4_32_10_t state;
                curand_init(seed, subsequence, 4 * index, &state);
                const uint4 words = curand4(&state);
                const auto block = xconv::philox_block(seed, index, subsequence);
                CHECK(words.x == block.word[0]);
                CHECK(words.y == block.word[1]);
                CHECK(words.z == block.word[2]);
                CHECK(words.w == block.word[3]);
            }
        }
    }
}
