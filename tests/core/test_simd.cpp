// Every compiled variant of the inner loops against plain loops.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "../catch.hpp"
#include "cpu/simd.hpp"
#include "probe_entry.hpp"
#include "variants.hpp"

using xconv::Distribution;
using xconv::Probes;
using xconv::cpu::SimdVariant;

namespace {

constexpr Distribution distributions[] = {Distribution::rademacher, Distribution::gaussian,
                                          Distribution::uniform};

int64_t padded(int64_t rows)
{
    return (rows + xconv::cpu::kDrawUnit - 1) / xconv::cpu::kDrawUnit * xconv::cpu::kDrawUnit;
}

template <class T>
void check_draw(const SimdVariant &variant, const Probes &probes, int64_t rows, int64_t columns)
{
    const int64_t stride = padded(rows) + 5;
    std::vector<T> z(static_cast<size_t>(stride * columns), T(9));
    variant.kernels<T>().draw(probes, rows, columns, z.data(), stride);
    // Signs and uniform numbers are exact; normal numbers come from a few library
    // calls, each right to the last place or so, of values below 7.
    const double tolerance = probes.distribution == Distribution::gaussian
                                 ? 64 * static_cast<double>(std::numeric_limits<T>::epsilon())
                                 : 0;
    for (int64_t j = 0; j < columns; ++j) {
        for (int64_t p = 0; p < stride; ++p) {
            const T got = z[static_cast<size_t>(j * stride + p)];
            const T expected = p < padded(rows)
                                   ? xconv::probe_entry<T>(probes.seed, probes.distribution,
                                                           probes.row + p, probes.column + j)
                                   : T(9); // beyond the rows: untouched
            if (!(std::abs(static_cast<double>(got) - static_cast<double>(expected)) <=
                  tolerance)) {
                FAIL(variant.name << ": z(" << probes.row + p << ", " << probes.column + j
                                  << ") = " << got << " instead of " << expected);
            }
        }
    }
}

template <class T> std::vector<T> whole_numbers(int64_t count, std::mt19937_64 &bits)
{
    std::vector<T> values(static_cast<size_t>(count));
    for (T &value : values) {
        value = static_cast<T>(static_cast<int64_t>(bits() % 7) - 3);
    }
    return values;
}

} // namespace

TEST_CASE("there is a variant that runs anywhere", "[simd]")
{
    REQUIRE_FALSE(xconv::cpu::simd_variants().empty());
    REQUIRE(xconv::cpu::simd_variants().back().runs_here());
    REQUIRE(std::string(xconv::cpu::best_simd_variant().name) == variants().front().name);
}

TEMPLATE_TEST_CASE("every variant draws the entries of the definition", "[simd]", float, double)
{
    std::mt19937_64 bits(1);
    for (const SimdVariant &variant : variants()) {
        INFO(variant.name);
        for (const Distribution distribution : distributions) {
            for (int i = 0; i < 60; ++i) {
                const Probes probes{bits(), distribution, static_cast<int64_t>(bits() % 5000),
                                    static_cast<int64_t>(bits() % 100)};
                const auto rows = static_cast<int64_t>(bits() % xconv::cpu::kTileRows) + 1;
                const auto columns = static_cast<int64_t>(bits() % xconv::cpu::kColumnGroup) + 1;
                check_draw<TestType>(variant, probes, rows, columns);
            }
            // Beyond 32 bits in every coordinate.
            const Probes far{bits(), distribution, (int64_t{1} << 45) + 77, (int64_t{1} << 40) + 3};
            check_draw<TestType>(variant, far, xconv::cpu::kTileRows, xconv::cpu::kColumnGroup);
        }
    }
}

TEMPLATE_TEST_CASE("every variant takes the same inner products", "[simd]", float, double)
{
    using T = TestType;
    std::mt19937_64 bits(2);
    for (const SimdVariant &variant : variants()) {
        for (int64_t columns = 1; columns <= xconv::cpu::kColumnGroup; ++columns) {
            for (const int64_t length : {1, 2, 7, 8, 15, 16, 17, 31, 33, 100, 1023, 1024}) {
                const auto rows = static_cast<int64_t>(bits() % 5) + 1;
                const int64_t x_stride = length + 3;
                const int64_t z_stride = padded(length);
                const int64_t out_stride = columns + 2;
                const auto x = whole_numbers<T>(rows * x_stride, bits);
                const auto z = whole_numbers<T>(columns * z_stride, bits);
                auto expected = whole_numbers<T>(rows * out_stride, bits);
                auto out = expected;
                auto unsummed = expected;
                const auto first = static_cast<int64_t>(bits() % 6 + 1) * xconv::cpu::kSumUnit;
                const auto run = static_cast<int64_t>(bits() % 12 + 1) * xconv::cpu::kSumUnit;
                constexpr int64_t most_runs = 1024 / xconv::cpu::kSumUnit + 1;
                std::vector<T> sums(static_cast<size_t>(rows * most_runs));
                const xconv::cpu::RowSums<T> wanted{sums.data(), most_runs, first, run};
                const auto dot = variant.kernels<T>().dot;
                dot(x.data(), x_stride, rows, x.data(), z.data(), z_stride, columns, length,
                    out.data(), out_stride, wanted);
                dot(x.data(), x_stride, rows, x.data(), z.data(), z_stride, columns, length,
                    unsummed.data(), out_stride, {});
                for (int64_t i = 0; i < rows; ++i) {
                    const T *from = x.data() + i * x_stride;
                    for (int64_t p = 0, s = 0; p < length; ++s) {
                        const int64_t end = std::min(first + s * run, length);
                        REQUIRE(sums[static_cast<size_t>(i * most_runs + s)] ==
                                std::accumulate(from + p, from + end, T(0)));
                        p = end;
                    }
                    for (int64_t j = 0; j < columns; ++j) {
                        for (int64_t p = 0; p < length; ++p) {
                            expected[static_cast<size_t>(i * out_stride + j)] +=
                                x[static_cast<size_t>(i * x_stride + p)] *
                                z[static_cast<size_t>(j * z_stride + p)];
                        }
                    }
                }
                INFO(variant.name << ": " << rows << " rows, " << columns << " columns, length "
                                  << length);
                REQUIRE(out == expected);
                REQUIRE(unsummed == expected);
            }
        }
    }
}

TEMPLATE_TEST_CASE("every variant mixes rows the same", "[simd]", float, double)
{
    using T = TestType;
    std::mt19937_64 bits(3);
    for (const SimdVariant &variant : variants()) {
        for (const int64_t rows : {1, 2, 3, 4, 5, 31, 32}) {
            for (const int64_t depth : {1, 7, 8, 9, 20}) {
                for (const int64_t run : {1, 15, 32, 33, 255, 256}) {
                    const bool across = bits() % 2 == 0; // how the coefficients lie
                    const int64_t k_stride = across ? rows + 1 : 1;
                    const int64_t i_stride = across ? 1 : depth + 1;
                    const auto c = whole_numbers<T>((rows + 1) * (depth + 1), bits);
                    const auto in = whole_numbers<T>(depth * (run + 4), bits);
                    auto expected = whole_numbers<T>(rows * xconv::cpu::kMixRun, bits);
                    auto out = expected;
                    variant.kernels<T>().mix(c.data(), k_stride, i_stride, rows, depth, in.data(),
                                             run + 4, run, out.data());
                    for (int64_t i = 0; i < rows; ++i) {
                        for (int64_t k = 0; k < depth; ++k) {
                            for (int64_t m = 0; m < run; ++m) {
                                expected[static_cast<size_t>(i * xconv::cpu::kMixRun + m)] +=
                                    c[static_cast<size_t>(k * k_stride + i * i_stride)] *
                                    in[static_cast<size_t>(k * (run + 4) + m)];
                            }
                        }
                    }
                    INFO(variant.name << ": " << rows << " rows, depth " << depth << ", run "
                                      << run);
                    REQUIRE(out == expected);
                }
            }
        }
    }
}
