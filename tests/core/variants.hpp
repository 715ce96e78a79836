// The compiled variants of the inner loops, for tests of each of them.
#pragma once

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
