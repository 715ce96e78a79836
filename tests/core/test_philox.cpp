// Philox4x32-10 against the published vectors, and the entries of z that are made
// from it: moments, correlations, and the same values from every address.
#include <cmath>
#include <vector>

#include "../catch.hpp"
#include "philox.hpp"
#include "probe_entry.hpp"

using xconv::Distribution;
using xconv::PhiloxBlock;

TEST_CASE("Philox4x32-10 gives the known answers of Random123", "[philox]")
{
    const struct {
        PhiloxBlock counter;
        uint32_t key0, key1;
        PhiloxBlock expected;
    } vectors[] = {
        {{{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
        {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
         0xffffffff,
         0xffffffff,
         {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
        {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
         0xa4093822,
         0x299f31d0,
         {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
    };
    for (const auto &vector : vectors) {
        const PhiloxBlock block = xconv::philox4x32_10(vector.counter, vector.key0, vector.key1);
        for (int i = 0; i < 4; ++i) {
            CHECK(block.word[i] == vector.expected.word[i]);
        }
    }
}

TEST_CASE("a Philox block is addressed by seed, index and subsequence", "[philox]")
{
    // The third vector again, put together from 64-bit numbers.
    const PhiloxBlock block =
        xconv::philox_block(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e);
    CHECK(block.word[0] == 0xd16cfe09);
    CHECK(block.word[3] == 0x24126ea1);
}

namespace {

/// Even moments of the three distributions, 2nd, 4th and 8th.
struct Moments {
    Distribution distribution;
    double fourth;
    double sixth;
    double eighth;
};
constexpr Moments all_moments[] = {{Distribution::rademacher, 1, 1, 1},
                                   {Distribution::gaussian, 3, 15, 105},
                                   {Distribution::uniform, 9.0 / 5, 27.0 / 7, 9}};

constexpr double z_bound = 5; // a false alarm in 1.7 million for each number

/// |mean - expected| within z_bound standard errors of a mean of n numbers.
void check_mean(const char *what, double mean, double expected, double variance, double n)
{
    INFO(what << ": " << mean << " instead of " << expected);
    // Entries that cannot vary may still differ in the last bits of the sum.
    CHECK(std::abs(mean - expected) <= z_bound * std::sqrt(variance / n) + 1e-12);
}

template <class T> void check_moments(const Moments &m, uint64_t seed)
{
    constexpr int64_t rows = 1024;
    constexpr int64_t columns = 1024;
    constexpr double n = rows * columns;
    double sum[5] = {};
    double products[4] = {};
    for (int64_t j = 0; j < columns; ++j) {
        for (int64_t p = 0; p < rows; ++p) {
            const auto at = [&](uint64_t s, int64_t row, int64_t column) {
                return static_cast<double>(xconv::probe_entry<T>(s, m.distribution, row, column));
            };
            const double z = at(seed, p, j);
            double power = 1;
            for (int k = 1; k <= 4; ++k) {
                power *= z;
                sum[k] += power;
            }
            products[0] += z * at(seed, p + 1, j);
            products[1] += z * at(seed, p, j + 1);
            products[2] += z * at(seed + 1, p, j);
            products[3] += z * at(seed, p + 128, j);
        }
    }
    INFO("distribution " << static_cast<int>(m.distribution) << ", seed " << seed);
    check_mean("mean", sum[1] / n, 0, 1, n);
    check_mean("second moment", sum[2] / n, 1, m.fourth - 1, n);
    check_mean("third moment", sum[3] / n, 0, m.sixth, n);
    check_mean("fourth moment", sum[4] / n, m.fourth, m.eighth - m.fourth * m.fourth, n);
    check_mean("next row", products[0] / n, 0, 1, n);
    check_mean("next column", products[1] / n, 0, 1, n);
    check_mean("next seed", products[2] / n, 0, 1, n);
    check_mean("next block of signs", products[3] / n, 0, 1, n);
}

} // namespace

TEMPLATE_TEST_CASE("entries of z have the moments of their distribution", "[philox]", float, double)
{
    for (const Moments &moments : all_moments) {
        check_moments<TestType>(moments, 1);
    }
}

TEST_CASE("entries of z stay in the range of their distribution", "[philox]")
{
    for (int64_t p = 0; p < 100000; ++p) {
        const double sign = xconv::probe_entry<double>(7, Distribution::rademacher, p, 3);
        const double flat = xconv::probe_entry<double>(7, Distribution::uniform, p, 3);
        const double normal = xconv::probe_entry<double>(7, Distribution::gaussian, p, 3);
        if (std::abs(sign) != 1 || std::abs(flat) > std::sqrt(3.0) || !(std::abs(normal) < 7)) {
            FAIL("row " << p << ": " << sign << ", " << flat << ", " << normal);
        }
    }
}

TEST_CASE("extreme words still give finite numbers of the right size", "[philox]")
{
    for (const uint32_t first : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xfffffffeU, 0xffffffffU}) {
        for (const uint32_t second : {0U, 0x40000000U, 0x80000000U, 0xffffffffU}) {
            float a = 0;
            float b = 0;
            xconv::gaussian_pair(first, second, a, b);
            // The smallest cell's midpoint is 2^-33: radius sqrt(66 log 2) < 6.77.
            CHECK(std::hypot(a, b) < 6.77F);
            double c = 0;
            double d = 0;
            xconv::gaussian_pair(first, second, c, d);
            CHECK(std::hypot(c, d) < 6.77);
        }
        CHECK(std::abs(xconv::uniform_value<float>(first)) <= 1.7320509F);
        CHECK(std::abs(xconv::uniform_value<double>(first)) < 1.7320508075688773);
    }
    CHECK(xconv::uniform_value<double>(0) == -xconv::uniform_value<double>(0xffffffffU));
}
