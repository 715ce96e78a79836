// Conversions between Float32 and the 16-bit types. Part of simd_kernels.cpp, like
// simd_vector.hpp.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "half.hpp"

namespace xconv::cpu::XCONV_SIMD {

namespace {

// ------------------------------------------------------------------- bfloat16

// As half.hpp; its functions are shared with other files and may not be used here.
// AVX-512's own instruction takes subnormal numbers for zero.

inline void widen(const BFloat16 *in, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t bits = static_cast<uint32_t>(in[i].bits) << 16U;
        std::memcpy(out + i, &bits, sizeof bits);
    }
}

inline void narrow(const float *in, int64_t count, BFloat16 *out)
{
    for (int64_t i = 0; i < count; ++i) {
        uint32_t bits = 0;
        std::memcpy(&bits, in + i, sizeof bits);
        const uint32_t rounded = bits + 0x7FFFU + (bits >> 16U & 1U);
        const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
        out[i].bits = static_cast<uint16_t>((nan ? bits | 0x00400000U : rounded) >> 16U);
    }
}

// -------------------------------------------------------------------- float16

#if defined(__F16C__)

// F16C, which every processor with AVX2 has.

constexpr int kRounding = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

#if defined(__AVX512F__)
constexpr int64_t kHalves = 16;
inline void widen_lanes(const void *in, float *out)
{
    __m256i halves;
    std::memcpy(&halves, in, sizeof halves);
    _mm512_storeu_ps(out, _mm512_cvtph_ps(halves));
}
inline void narrow_lanes(const float *in, void *out)
{
    const __m256i halves = _mm512_cvtps_ph(_mm512_loadu_ps(in), kRounding);
    std::memcpy(out, &halves, sizeof halves);
}
#else
constexpr int64_t kHalves = 8;
inline void widen_lanes(const void *in, float *out)
{
    __m128i halves;
    std::memcpy(&halves, in, sizeof halves);
    _mm256_storeu_ps(out, _mm256_cvtph_ps(halves));
}
inline void narrow_lanes(const float *in, void *out)
{
    const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(in), kRounding);
    std::memcpy(out, &halves, sizeof halves);
}
#endif

inline void widen(const Float16 *in, int64_t count, float *out)
{
    int64_t i = 0;
    for (; i + kHalves <= count; i += kHalves) {
        widen_lanes(in + i, out + i);
    }
    if (i < count) {
        uint16_t rest[kHalves] = {};
        float wide[kHalves];
        std::memcpy(rest, in + i, static_cast<size_t>(count - i) * sizeof *in);
        widen_lanes(rest, wide);
        std::memcpy(out + i, wide, static_cast<size_t>(count - i) * sizeof *out);
    }
}

inline void narrow(const float *in, int64_t count, Float16 *out)
{
    int64_t i = 0;
    for (; i + kHalves <= count; i += kHalves) {
        narrow_lanes(in + i, out + i);
    }
    if (i < count) {
        float rest[kHalves] = {};
        uint16_t half[kHalves];
        std::memcpy(rest, in + i, static_cast<size_t>(count - i) * sizeof *in);
        narrow_lanes(rest, half);
        std::memcpy(out + i, half, static_cast<size_t>(count - i) * sizeof *out);
    }
}

#else

inline void widen(const Float16 *in, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; ++i) {
        out[i] = in[i];
    }
}

inline void narrow(const float *in, int64_t count, Float16 *out)
{
    for (int64_t i = 0; i < count; ++i) {
        out[i] = Float16(in[i]);
    }
}

#endif

} // namespace

} // namespace xconv::cpu::XCONV_SIMD
