// Philox4x32-10 (philox.hpp) on many counters side by side. Included once for each
// instruction set, like simd_vector.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu/simd_vector.hpp"
#include "philox.hpp"

namespace xconv::cpu::XCONV_SIMD {

namespace {

/// 64-bit lanes. A Philox word occupies the low half of a lane; what stands in
/// the high half is ignored by multiply_low() and dropped at the end.
typedef uint64_t Lanes64 __attribute__((vector_size(kVectorBytes)));
constexpr int kLanes64 = kVectorBytes / 8;

/// The 64-bit products of the low halves.
inline Lanes64 multiply_low(Lanes64 a, Lanes64 b)
{
#if defined(__AVX512F__)
    return Lanes64(_mm512_mul_epu32(__m512i(a), __m512i(b)));
#elif defined(__AVX2__)
    return Lanes64(_mm256_mul_epu32(__m256i(a), __m256i(b)));
#elif defined(__SSE2__)
    return Lanes64(_mm_mul_epu32(__m128i(a), __m128i(b)));
#else
    return (a & 0xFFFFFFFFU) * (b & 0xFFFFFFFFU);
#endif
}

inline Lanes64 splat64(uint64_t value) { return Lanes64{} + value; }

/// Counters to random words, in place: word k of lane l of vector v is w[k][v][l].
template <size_t V> inline void philox_rounds(Lanes64 (&w)[4][V], uint64_t seed)
{
    using C = PhiloxConstants;
    const Lanes64 multiplier0 = splat64(C::multiplier0);
    const Lanes64 multiplier1 = splat64(C::multiplier1);
    auto key0 = static_cast<uint32_t>(seed);
    auto key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < C::rounds; ++round) {
        for (size_t v = 0; v < V; ++v) {
            const Lanes64 a = multiply_low(w[0][v], multiplier0);
            const Lanes64 b = multiply_low(w[2][v], multiplier1);
            w[0][v] = (b >> 32) ^ w[1][v] ^ splat64(key0);
            w[1][v] = b;
            w[2][v] = (a >> 32) ^ w[3][v] ^ splat64(key1);
            w[3][v] = a;
        }
        key0 += C::weyl0;
        key1 += C::weyl1;
    }
}

} // namespace

} // namespace xconv::cpu::XCONV_SIMD
