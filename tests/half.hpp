// The 16-bit floating point types as the tests know them: rounded by arithmetic on
// doubles, with nothing shared with the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace support {

/// IEEE 754 in 16 bits: `Digits` bits of significand, the leading one included, and
/// exponents of normal numbers in Least .. -Least + 1.
template <int Digits, int Least> class Half {
  public:
    Half() = default;
    Half(double value) // NOLINT: rounds, as float(double) does
    {
        double magnitude = kInfinity | 1 << (kStored - 1); // NaN
        if (!std::isnan(value)) {
            const double size = std::abs(value);
            const int exponent =
                size == 0 || std::isinf(size) ? Least : std::max(std::ilogb(size), Least);
            // In units of the last place: the leading one adds to the exponent.
            magnitude = std::nearbyint(std::ldexp(size, kStored - exponent)) +
                        std::ldexp(exponent - Least, kStored);
            magnitude = std::min<double>(magnitude, kInfinity);
        }
        bits_ = static_cast<uint16_t>(magnitude);
        bits_ = static_cast<uint16_t>(bits_ | (std::signbit(value) ? 0x8000 : 0));
    }
    static constexpr Half of_bits(uint16_t bits)
    {
        Half half;
        half.bits_ = bits;
        return half;
    }
    [[nodiscard]] uint16_t bits() const { return bits_; }
    operator double() const // NOLINT: widening loses nothing
    {
        const int magnitude = bits_ & 0x7FFF;
        const double sign = (bits_ & 0x8000) != 0 ? -1 : 1;
        if (magnitude >= kInfinity) {
            return magnitude > kInfinity ? std::numeric_limits<double>::quiet_NaN()
                                         : sign * std::numeric_limits<double>::infinity();
        }
        const int exponent = std::max(magnitude >> kStored, 1);
        const int significand = magnitude - ((exponent - 1) << kStored);
        return sign * std::ldexp(significand, exponent - 1 + Least - kStored);
    }

    static constexpr uint16_t kInfinity = 0x8000 - (1 << (Digits - 1)); // its bits

  private:
    static constexpr int kStored = Digits - 1;

    uint16_t bits_ = 0;
};

using F16 = Half<11, -14>;
using BF16 = Half<8, -126>;

} // namespace support

/// What the tests ask of a type.
template <int Digits, int Least> class std::numeric_limits<support::Half<Digits, Least>> {
    using Half = support::Half<Digits, Least>;

  public:
    static constexpr bool is_specialized = true;
    static constexpr double epsilon() { return 1.0 / (1 << (Digits - 1)); }
    static constexpr Half infinity() { return Half::of_bits(Half::kInfinity); }
    static constexpr Half quiet_NaN()
    {
        return Half::of_bits(static_cast<uint16_t>(Half::kInfinity | 1 << (Digits - 2)));
    }
    static constexpr Half denorm_min() { return Half::of_bits(1); }
};
