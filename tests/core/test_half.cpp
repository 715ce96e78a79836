// The 16-bit types and their conversions, in every variant, against arithmetic on
// doubles that shares nothing with them. Their values are multiples of a power of
// two that the exponent fixes, so std::nearbyint rounds to them.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../catch.hpp"
#include "cpu/simd.hpp"
#include "half.hpp"
#include "variants.hpp"

using xconv::BFloat16;
using xconv::Float16;
using xconv::cpu::SimdVariant;

namespace {

template <class Half> struct Format;
template <> struct Format<Float16> {
    static constexpr int digits = 11; // of the significand
    static constexpr int least = -14; // exponent of the least normal number
    static constexpr int most = 15;
};
template <> struct Format<BFloat16> {
    static constexpr int digits = 8;
    static constexpr int least = -126;
    static constexpr int most = 127;
};

template <class Half> constexpr int kStored = Format<Half>::digits - 1; // bits

/// What the bits of a number stand for, as IEEE 754 says.
template <class Half> double meaning(uint16_t bits)
{
    using F = Format<Half>;
    const int exponent = (bits & 0x7FFF) >> kStored<Half>;
    const int fraction = bits & ((1 << kStored<Half>)-1);
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    if (exponent == F::most - F::least + 2) {
        return fraction == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
    }
    const int normal = exponent == 0 ? 0 : 1 << kStored<Half>;
    return sign *
           std::ldexp(normal + fraction, F::least - kStored<Half> + std::max(exponent, 1) - 1);
}

/// The nearest value of the format, even where two are.
template <class Half> double nearest(double value)
{
    using F = Format<Half>;
    if (value == 0 || !std::isfinite(value)) {
        return value;
    }
    const int exponent = std::max(std::ilogb(value), F::least);
    const double unit = std::ldexp(1.0, exponent - kStored<Half>);
    const double rounded = std::nearbyint(value / unit) * unit;
    return std::abs(rounded) < std::ldexp(1.0, F::most + 1)
               ? rounded
               : std::copysign(std::numeric_limits<double>::infinity(), value);
}

bool same(double a, double b)
{
    return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

float float_of(uint32_t bits)
{
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

uint32_t bits_of(float value)
{
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

template <class Half> std::vector<Half> all_halves()
{
    std::vector<Half> all(65536);
    for (size_t i = 0; i < all.size(); ++i) {
        all[i].bits = static_cast<uint16_t>(i);
    }
    return all;
}

/// Floats with every exponent: around and between the values of a format, where
/// rounding decides, and anywhere.
template <class Half> std::vector<float> floats()
{
    std::vector<float> values;
    for (const Half half : all_halves<Half>()) {
        const float value = half;
        if (std::isfinite(value)) {
            const auto above = static_cast<uint16_t>(half.bits + 1);
            const auto middle =
                static_cast<float>((static_cast<double>(value) + meaning<Half>(above)) / 2);
            for (const float near : {value, std::isfinite(middle) ? middle : value}) {
                values.push_back(std::nextafter(near, -INFINITY));
                values.push_back(near);
                values.push_back(std::nextafter(near, INFINITY));
            }
        }
    }
    std::mt19937 random(7);
    for (int i = 0; i < 1000000; ++i) {
        values.push_back(float_of(static_cast<uint32_t>(random())));
    }
    for (const uint32_t nan : {0x7F800001U, 0x7FC00000U, 0xFFFFFFFFU, 0xFF812345U, 0x7FBFFFFFU}) {
        values.push_back(float_of(nan));
    }
    return values;
}

} // namespace

TEMPLATE_TEST_CASE("16 bits mean what IEEE 754 says", "[half]", Float16, BFloat16)
{
    for (const TestType half : all_halves<TestType>()) {
        if (!same(static_cast<float>(half), meaning<TestType>(half.bits))) {
            FAIL(half.bits << " is " << static_cast<float>(half) << " instead of "
                           << meaning<TestType>(half.bits));
        }
    }
}

TEMPLATE_TEST_CASE("all 16-bit values survive a round trip", "[half]", Float16, BFloat16)
{
    for (const TestType half : all_halves<TestType>()) {
        const TestType back(static_cast<float>(half));
        const bool nan = std::isnan(static_cast<float>(half));
        const auto quiet = static_cast<uint16_t>(nan ? 1 << (kStored<TestType> - 1) : 0);
        if (back.bits != (half.bits | quiet)) {
            FAIL(half.bits << " came back as " << back.bits);
        }
    }
}

TEMPLATE_TEST_CASE("floats round to the nearest 16-bit value, ties to even", "[half]", Float16,
                   BFloat16)
{
    for (const float value : floats<TestType>()) {
        const TestType half(value);
        if (!same(meaning<TestType>(half.bits), nearest<TestType>(value)) ||
            (half.bits >> 15U) != (bits_of(value) >> 31U)) {
            FAIL(value << " became " << static_cast<float>(half) << " instead of "
                       << nearest<TestType>(value));
        }
    }
}

TEMPLATE_TEST_CASE("every variant converts arrays to the same bits", "[half]", Float16, BFloat16)
{
    const std::vector<TestType> halves = all_halves<TestType>();
    const std::vector<float> wide = floats<TestType>();
    for (const SimdVariant &variant : variants()) {
        INFO(variant.name);
        std::vector<float> widened(halves.size());
        variant.halves<TestType>().widen(halves.data(), 65536, widened.data());
        std::vector<TestType> narrowed(wide.size());
        variant.halves<TestType>().narrow(wide.data(), static_cast<int64_t>(wide.size()),
                                          narrowed.data());
        size_t wrong = 0;
        for (size_t i = 0; i < halves.size(); ++i) {
            wrong += bits_of(widened[i]) != bits_of(static_cast<float>(halves[i])) ? 1U : 0U;
        }
        for (size_t i = 0; i < wide.size(); ++i) {
            wrong += narrowed[i].bits != TestType(wide[i]).bits ? 1U : 0U;
        }
        REQUIRE(wrong == 0);
    }
}

TEMPLATE_TEST_CASE("conversions of arrays stay inside them", "[half]", Float16, BFloat16)
{
    for (const SimdVariant &variant : variants()) {
        for (int64_t count = 0; count <= 40; ++count) {
            const auto size = static_cast<size_t>(count);
            std::vector<TestType> in(size, TestType(1.5F)); // the sanitizer watches its end
            std::vector<float> wide(size + 1, 7.0F);
            variant.halves<TestType>().widen(in.data(), count, wide.data());
            std::vector<TestType> out(size + 1, TestType(7.0F));
            variant.halves<TestType>().narrow(std::vector<float>(size, 1.5F).data(), count,
                                              out.data());
            for (size_t i = 0; i <= size; ++i) {
                REQUIRE(wide[i] == (i < size ? 1.5F : 7.0F));
                REQUIRE(static_cast<float>(out[i]) == (i < size ? 1.5F : 7.0F));
            }
        }
    }
}
