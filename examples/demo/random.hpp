// Random numbers that are the same with every standard library, unlike the
// distributions and the shuffle of <random> and <algorithm>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace demo {

/// SplitMix64's step: a bijection that spreads its input over all 64 bits.
constexpr uint64_t mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15ULL;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31U);
}

/// One seed from several numbers, such as a run's seed, a step and a layer.
constexpr uint64_t combine(std::initializer_list<uint64_t> parts)
{
    uint64_t seed = 0;
    for (uint64_t part : parts)
        seed = mix(seed ^ part);
    return seed;
}

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}

    /// On [0, 1), 24 random bits.
    float uniform() { return static_cast<float>(next() >> 40U) * 0x1p-24F; }

    /// On 0 ... bound - 1; the bias, bound / 2^64, is beyond notice.
    size_t below(size_t bound) { return static_cast<size_t>(next() % bound); }

  private:
    uint64_t next()
    {
        const uint64_t value = mix(state_);
        state_ += 0x9e3779b97f4a7c15ULL;
        return value;
    }
    uint64_t state_;
};

} // namespace demo
