// What tests of the CPU's inner loops share: the variants to run, the types to run on,
// and when two numbers are the same.
#pragma once

#include <cmath>
#include <vector>

#include "cpu/simd.hpp"
#include "dtype.hpp"
#include "half.hpp"

/// Variants that this processor runs.
inline std::vector<xconv::cpu::SimdVariant> variants()
{
    std::vector<xconv::cpu::SimdVariant> list;
    for (const xconv::cpu::SimdVariant &variant : xconv::cpu::simd_variants()) {
        if (variant.runs_here()) {
            list.push_back(variant);
        }
    }
    return list;
}

template <class T> inline constexpr xconv::Dtype dtype_of = xconv::Dtype::f32;
template <> inline constexpr xconv::Dtype dtype_of<double> = xconv::Dtype::f64;
template <> inline constexpr xconv::Dtype dtype_of<xconv::Float16> = xconv::Dtype::f16;
template <> inline constexpr xconv::Dtype dtype_of<xconv::BFloat16> = xconv::Dtype::bf16;

/// Equal, with the same sign when they are 0, or both NaN.
template <class T> bool same_number(T a, T b)
{
    return (a == b && std::signbit(a) == std::signbit(b)) || (std::isnan(a) && std::isnan(b));
}
