// Where the bits of a packed matrix lie. One buffer holds
//   ranges [rows][groups]: the smallest and the largest level of a group, each in half
//          the bits of the compute type,
//   codes  [rows][row_bytes]: number i of a row is the `bits` bits from bit i * bits
//          on, counted from the least significant bit of the first byte.
// A group is `group` neighbouring numbers of one row; the last may be shorter.
#pragma once

#include <cstdint>

#include "checked.hpp"
#include "dtype.hpp"

namespace xconv {

struct Packing {
    int bits; // 1, 2, 4 or 8
    int64_t rows;
    int64_t numbers; // of a row
    int64_t group;   // a multiple of 8, so that groups start at bytes

    [[nodiscard]] int64_t groups() const { return ceil_div(numbers, group); }
    [[nodiscard]] int64_t row_bytes() const { return ceil_div(numbers * bits, 8); }
    [[nodiscard]] int64_t range_bytes(Dtype compute) const
    {
        return rows * groups() * element_bytes(compute);
    }
    [[nodiscard]] int64_t bytes(Dtype compute) const
    {
        return range_bytes(compute) + rows * row_bytes();
    }
};

} // namespace xconv
