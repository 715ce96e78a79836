#include "cpu/simd.hpp"

#include <algorithm>
#include <array>

#include "simd_kernels_variants.hpp"

namespace xconv::cpu {

// Defined by the copies of simd_kernels.cpp, one namespace for each.
#define XCONV_DECLARE(variant)                                                                     \
    namespace variant {                                                                            \
    extern const SimdVariant kVariant;                                                             \
    }
XCONV_SIMD_VARIANTS(XCONV_DECLARE)

std::span<const SimdVariant> simd_variants()
{
#define XCONV_LIST(variant) variant::kVariant,
    static const std::array variants{XCONV_SIMD_VARIANTS(XCONV_LIST)};
    return variants;
}

const SimdVariant &best_simd_variant()
{
    static const SimdVariant &best = *std::ranges::find_if(
        simd_variants(), [](const SimdVariant &variant) { return variant.runs_here(); });
    return best;
}

} // namespace xconv::cpu
