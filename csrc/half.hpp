// The 16-bit floating point types: storage for tensors. Arithmetic is done in
// float; conversion to 16 bits rounds to nearest, ties to even. The bits are those
// of IEEE 754 binary16 and of bfloat16, as in CUDA's __half and __nv_bfloat16.
#pragma once

#include <cstdint>
#include <cstring>

#include "host_device.hpp"

namespace xconv {

namespace half_detail {

XCONV_HOST_DEVICE inline uint32_t bits_of(float value)
{
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

XCONV_HOST_DEVICE inline float float_of(uint32_t bits)
{
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

} // namespace half_detail

struct BFloat16 {
    uint16_t bits = 0;

    BFloat16() = default;
    // NaN keeps its sign and the leading bits of its payload, and turns quiet.
    XCONV_HOST_DEVICE explicit BFloat16(float value)
    {
        const uint32_t wide = half_detail::bits_of(value);
        const uint32_t rounded = wide + 0x7FFFU + (wide >> 16U & 1U);
        const bool nan = (wide & 0x7FFFFFFFU) > 0x7F800000U;
        bits = static_cast<uint16_t>((nan ? wide | 0x00400000U : rounded) >> 16U);
    }
    XCONV_HOST_DEVICE operator float() const // NOLINT: widening loses nothing
    {
        return half_detail::float_of(static_cast<uint32_t>(bits) << 16U);
    }
};

struct Float16 {
    uint16_t bits = 0;

    Float16() = default;
    // Both conversions give the bits that x86's own instructions give, NaN included,
    // and are written without branches, for compilers to make vector code of loops.
    XCONV_HOST_DEVICE explicit Float16(float value)
    {
        using half_detail::bits_of;
        using half_detail::float_of;
        const uint32_t wide = bits_of(value);
        const uint32_t magnitude = wide & 0x7FFFFFFFU;
        // Normal: move the exponent's bias from 127 to 15, round in integers.
        const uint32_t normal =
            (magnitude - (112U << 23U) + 0xFFFU + (magnitude >> 13U & 1U)) >> 13U;
        // Subnormal: the addition of 0.5 rounds at the last place there is, 2^-24.
        const uint32_t subnormal = bits_of(float_of(magnitude) + 0.5F) - bits_of(0.5F);
        const uint32_t nan = 0x7E00U | (magnitude >> 13U & 0x3FFU);
        constexpr uint32_t least_normal = 113U << 23U;          // 2^-14
        constexpr uint32_t too_large = (143U << 23U) - 0x1000U; // rounds to 2^16
        constexpr uint32_t infinity = 255U << 23U;
        uint32_t result = magnitude < least_normal ? subnormal : normal;
        result = magnitude >= too_large ? 0x7C00U : result;
        result = magnitude > infinity ? nan : result;
        bits = static_cast<uint16_t>(result | (wide >> 16U & 0x8000U));
    }
    XCONV_HOST_DEVICE operator float() const // NOLINT: widening loses nothing
    {
        using half_detail::bits_of;
        using half_detail::float_of;
        const uint32_t magnitude = bits & 0x7FFFU;
        const uint32_t shifted = magnitude << 13U;
        // Subnormal: the exponent of 2^-14, and its leading one taken off again. No
        // operand is a subnormal float, which callers may have switched off.
        constexpr uint32_t least_normal = 113U << 23U;
        const uint32_t subnormal =
            bits_of(float_of(shifted + least_normal) - float_of(least_normal));
        uint32_t result = shifted + (112U << 23U);
        result = magnitude < 0x0400U ? subnormal : result;
        result = magnitude >= 0x7C00U ? shifted | (255U << 23U) : result;
        result = magnitude > 0x7C00U ? result | (1U << 22U) : result;
        return float_of(result | static_cast<uint32_t>(bits & 0x8000U) << 16U);
    }
};

} // namespace xconv
