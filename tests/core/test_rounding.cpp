// What rounding to few bits promises: exact where it can be, bounded and without bias
// elsewhere, and NaN where there is no number. Nothing here is taken from the library
// but pack and unpack themselves.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../catch.hpp"
#include "../half_range.hpp"
#include "cpu/packing.hpp"
#include "variants.hpp"

using xconv::Dtype;
using xconv::Packing;
using xconv::RoundingStream;
using xconv::cpu::PackingOps;

namespace {

constexpr int widths[] = {1, 2, 4, 8};

/// 50 numbers, every other one of them.
template <class T> std::vector<T> alternating(T even, T odd)
{
    std::vector<T> numbers(50, even);
    for (size_t i = 1; i < numbers.size(); i += 2) {
        numbers[i] = odd;
    }
    return numbers;
}

/// Numbers of one row as they come back.
template <class T>
std::vector<T> packed_and_back(int bits, int64_t group, const std::vector<T> &numbers)
{
    constexpr Dtype dtype = dtype_of<T>;
    const auto count = static_cast<int64_t>(numbers.size());
    const Packing packing{bits, 1, count, group};
    const PackingOps ops{1, &xconv::cpu::best_simd_variant()};
    std::vector<uint8_t> packed(static_cast<size_t>(packing.bytes(dtype)));
    ops.pack(dtype, packing, {9, RoundingStream::numbers}, numbers.data(), packed.data());
    std::vector<T> back(numbers.size());
    ops.unpack(dtype, packing, packed.data(), 0, 0, xconv::Runs::one(count),
               {back.data(), 1, count, count});
    return back;
}

} // namespace

TEMPLATE_TEST_CASE("groups are exact at ends that half the bits hold", "[packing]", float, double)
{
    using T = TestType;
    const T most = static_cast<T>(support::largest_half<T>());
    const T least = static_cast<T>(support::least_half<T>());
    const std::vector<std::vector<T>> pairs{
        {T(0.5), T(0.5)}, {T(-3), T(-3)}, {T(0), T(0)},     {most, most},
        {-most, most},    {-most, -most}, {T(0), least},    {least, least},
        {-least, least},  {T(-1), T(1)},  {T(250), T(251)}, {T(1), T(1.0078125)}};
    for (const auto &pair : pairs) {
        for (const int bits : widths) {
            const auto numbers = alternating(pair[0], pair[1]);
            INFO(pair[0] << " and " << pair[1] << ", " << bits << " bits");
            REQUIRE(packed_and_back(bits, 64, numbers) == numbers);
        }
    }
}

TEMPLATE_TEST_CASE("ends that half the bits do not bound make their group NaN", "[packing]", float,
                   double)
{
    using T = TestType;
    const T most = static_cast<T>(support::largest_half<T>());
    const T beyond = std::nextafter(most, std::numeric_limits<T>::infinity());
    for (const T bad :
         {beyond, -beyond, std::numeric_limits<T>::max(), std::numeric_limits<T>::lowest()}) {
        for (const int bits : widths) {
            for (const T number : packed_and_back(bits, 64, alternating(T(1), bad))) {
                REQUIRE(std::isnan(number));
            }
        }
    }
}

TEMPLATE_TEST_CASE("other constants keep their mean, between two ends", "[packing]", float, double)
{
    // Codes are binomial, as below.
    using T = TestType;
    constexpr int64_t draws = 40000;
    for (const T value :
         {T(0.1), T(-0.1), T(1000.3), T(1e-30), std::nextafter(T(1), T(2)),
          std::numeric_limits<T>::min() * T(1.7), -std::numeric_limits<T>::min() / 3, T(3.3e38)}) {
        const double low = support::half_below<T>(static_cast<double>(value));
        const double high = support::half_above<T>(static_cast<double>(value));
        const auto back = packed_and_back(1, draws, std::vector<T>(draws, value));
        double upper = 0;
        for (const T number : back) {
            REQUIRE((static_cast<double>(number) == low || static_cast<double>(number) == high));
            upper += static_cast<double>(number) == high ? 1 : 0;
        }
        const double p = (static_cast<double>(value) - low) / (high - low);
        INFO(value << ": " << upper / draws << " instead of " << p);
        REQUIRE(std::abs(upper - p * draws) <= 4.9 * std::sqrt(p * (1 - p) * draws));
    }
}

namespace {

/// Bits that are worth rounding: every upper half of a Float32, one of a Float64 in many,
/// with the lower halves where its direction tells; and any others.
template <class T> std::vector<T> difficult_numbers()
{
    using Bits = typename xconv::KeptRange<T>::Bits;
    constexpr int half = 4 * sizeof(T);
    constexpr Bits lower = (Bits{1} << half) - 1;
    std::mt19937_64 random(12);
    std::vector<Bits> patterns;
    for (uint32_t i = 0; i < 0x10000; ++i) {
        const Bits upper = half == 16 ? i : i << 16U | (random() & 0xFFFFU);
        for (const Bits rest : {Bits{0}, Bits{1}, lower / 2, lower}) {
            patterns.push_back(upper << half | rest);
        }
        patterns.push_back(static_cast<Bits>(random()));
    }
    std::vector<T> numbers(patterns.size());
    std::memcpy(numbers.data(), patterns.data(), patterns.size() * sizeof(T));
    numbers.erase(std::remove_if(numbers.begin(), numbers.end(),
                                 [](T number) { return !std::isfinite(number); }),
                  numbers.end());
    return numbers;
}

} // namespace

TEMPLATE_TEST_CASE("ranges are rounded outward to half their bits", "[packing]", float, double)
{
    using T = TestType;
    const auto numbers = difficult_numbers<T>();
    REQUIRE(numbers.size() > 300000);
    for (size_t i = 0; i + 1 < numbers.size(); ++i) {
        const auto [low, high] = std::minmax(numbers[i], numbers[i + 1]);
        const auto got = xconv::KeptRange<T>::around({low, high}, true).widened();
        T expected_low = static_cast<T>(support::half_below<T>(static_cast<double>(low)));
        T expected_high = static_cast<T>(support::half_above<T>(static_cast<double>(high)));
        if (!std::isfinite(expected_low) || !std::isfinite(expected_high)) {
            expected_low = expected_high = std::numeric_limits<T>::quiet_NaN();
        }
        if (!same_number(got.low, expected_low) || !same_number(got.high, expected_high)) {
            FAIL("[" << low << ", " << high << "] became [" << got.low << ", " << got.high
                     << "] instead of [" << expected_low << ", " << expected_high << "]");
        }
    }
}

TEMPLATE_TEST_CASE("a number that is not finite makes its group NaN, and no other", "[packing]",
                   float, double)
{
    using T = TestType;
    for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                        -std::numeric_limits<T>::infinity()}) {
        for (const size_t at : {0U, 63U, 64U, 130U, 191U, 260U}) {
            std::vector<T> numbers(261, T(0.3));
            numbers[at] = bad;
            const auto back = packed_and_back(2, 64, numbers);
            for (size_t i = 0; i < back.size(); ++i) {
                REQUIRE(std::isnan(back[i]) == (i / 64 == at / 64));
            }
        }
    }
}

TEMPLATE_TEST_CASE("rounding keeps the mean of every number", "[packing]", float, double)
{
    // Each of the places between two levels is drawn `draws` times. The number of
    // upper codes is binomial: its z-score is below 4.9 but once in 10^6.
    using T = TestType;
    constexpr int64_t draws = 40000;
    constexpr int64_t places = 16; // between two levels
    for (const int bits : widths) {
        const int64_t levels = (int64_t{1} << bits) - 1;
        for (int64_t level = 0; level < std::min<int64_t>(levels, 7); ++level) {
            for (int64_t place = 0; place <= places; ++place) {
                const double exact =
                    static_cast<double>(level) + static_cast<double>(place) / places;
                std::vector<T> numbers(static_cast<size_t>(draws), static_cast<T>(exact - 2));
                numbers[0] = T(-2);
                numbers[1] = static_cast<T>(levels - 2);
                const auto back = packed_and_back(bits, draws, numbers);
                double upper = 0;
                for (size_t i = 2; i < back.size(); ++i) {
                    const double code = std::round(static_cast<double>(back[i]) + 2);
                    const double above = code - static_cast<double>(level);
                    REQUIRE((above == 0 || above == 1));
                    upper += above;
                }
                const double p = static_cast<double>(place) / places;
                const double count = draws - 2;
                INFO(bits << " bits, " << exact << " of " << levels << ": " << upper / count);
                REQUIRE(std::abs(upper - p * count) <= 4.9 * std::sqrt(p * (1 - p) * count));
            }
        }
    }
}
