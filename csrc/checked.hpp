// 64-bit size arithmetic that refuses to wrap around.
#pragma once

#include <cstdint>

#include "error.hpp"

namespace xconv {

/// Sizes are refused so many times before the end of 64 bits, so that code may add
/// up a few of them, or round them, unchecked.
inline constexpr int64_t kSizeHeadroom = 16;

inline int64_t checked_mul(int64_t a, int64_t b, const char *what)
{
    int64_t product = 0;
    if (__builtin_mul_overflow(a, b, &product)) {
        fail(XCONV_OVERFLOW, "{}: {} * {} does not fit in 64 bits", what, a, b);
    }
    return product;
}

inline int64_t checked_add(int64_t a, int64_t b, const char *what)
{
    int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) {
        fail(XCONV_OVERFLOW, "{}: {} + {} does not fit in 64 bits", what, a, b);
    }
    return sum;
}

/// For a >= 0, whatever b.
inline int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

/// The most of `count` in a part, cut into as few as hold `most`, all alike, about.
inline int64_t even_part(int64_t count, int64_t most)
{
    return ceil_div(count, ceil_div(count, most));
}

inline int64_t round_up(int64_t a, int64_t multiple) { return ceil_div(a, multiple) * multiple; }

} // namespace xconv
