// The ends that packed groups keep, as the tests know them: arithmetic on doubles, which
// is exact here, and nothing shared with the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace support {

/// Significant bits in the upper half of a T's bits.
template <class T> inline constexpr int half_digits = sizeof(T) == 4 ? 8 : 21;

/// The largest finite number, and the least positive one, that the upper half holds.
template <class T> double largest_half()
{
    return std::ldexp(2 - std::ldexp(1, 1 - half_digits<T>),
                      std::numeric_limits<T>::max_exponent - 1);
}
template <class T> double least_half()
{
    return std::ldexp(1, std::numeric_limits<T>::min_exponent - half_digits<T>);
}

/// The least number of the upper half that is not below `value`; never -0.
template <class T> double half_above(double value)
{
    if (value == 0) {
        return 0;
    }
    const int exponent = std::max(std::ilogb(value), std::numeric_limits<T>::min_exponent - 1);
    const int unit = exponent + 1 - half_digits<T>;
    const double above = std::ldexp(std::ceil(std::ldexp(value, -unit)), unit) + 0.0;
    return above > largest_half<T>() ? std::numeric_limits<double>::infinity() : above;
}
template <class T> double half_below(double value) { return -half_above<T>(-value) + 0.0; }

} // namespace support
