// Small numbers of 0 to 32 bits, packed without gaps: number i has the bits
// [i * bits, (i + 1) * bits) of the stream, lowest first.
#pragma once

#include <cstdint>

namespace xconv::cpu {

/// Write `count` numbers from the first bit of `out`; unused bits of the last
/// byte become 0. A multiple of 8 numbers fills its bytes exactly.
inline void pack_bits(const uint32_t *numbers, int64_t count, int bits, uint8_t *out)
{
    int64_t i = 0;
    if (bits <= 8) { // eight numbers are whole bytes, and fit in a word
        for (; i + 8 <= count; i += 8) {
            uint64_t word = 0;
            for (int j = 0; j < 8; ++j) {
                word |= static_cast<uint64_t>(numbers[i + j]) << (j * bits);
            }
            for (int byte = 0; byte < bits; ++byte) {
                *out++ = static_cast<uint8_t>(word >> (8 * byte));
            }
        }
    }
    uint64_t pending = 0;
    int held = 0;
    for (; i < count; ++i) {
        pending |= static_cast<uint64_t>(numbers[i]) << held;
        held += bits;
        for (; held >= 8; held -= 8) {
            *out++ = static_cast<uint8_t>(pending);
            pending >>= 8;
        }
    }
    if (held > 0) {
        *out = static_cast<uint8_t>(pending);
    }
}

/// Reads numbers one after the other, starting at any of them.
class BitReader {
  public:
    /// Numbers of 0 bits are read from anywhere, a null stream included.
    BitReader(const uint8_t *stream, int64_t first, int bits)
        // first * bits may pass 64 bits only where the index itself would.
        : next_(stream + first * bits / 8), bits_(bits), mask_((uint64_t{1} << bits) - 1)
    {
        const int skip = static_cast<int>(first * bits % 8);
        if (skip > 0) {
            pending_ = static_cast<uint64_t>(*next_++) >> skip;
            held_ = 8 - skip;
        }
    }
    uint32_t next()
    {
        for (; held_ < bits_; held_ += 8) {
            pending_ |= static_cast<uint64_t>(*next_++) << held_;
        }
        const auto number = static_cast<uint32_t>(pending_ & mask_);
        pending_ >>= bits_;
        held_ -= bits_;
        return number;
    }

  private:
    const uint8_t *next_;
    uint64_t pending_ = 0;
    int held_ = 0;
    int bits_;
    uint64_t mask_;
};

} // namespace xconv::cpu
