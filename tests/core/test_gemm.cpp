// Matrix products, cut for the sizes that libraries take and for threads, against plain loops.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "../catch.hpp"
#include "cpu/gemm.hpp"
#include "cpu/matrix.hpp"

using xconv::cpu::gemm;
using xconv::cpu::Op;

namespace {

/// rows x cols numbers, as they lie in memory with gaps that hold others.
template <class T> struct Numbers {
    Numbers(int64_t rows, int64_t cols, int64_t gap, std::mt19937_64 &bits) : stride(cols + gap)
    {
        std::uniform_int_distribution<int> small(-9, 9);
        for (int64_t i = 0; i < rows * stride; ++i) {
            data.push_back(static_cast<T>(small(bits)));
        }
    }
    [[nodiscard]] T at(int64_t i, int64_t j) const
    {
        return data[static_cast<size_t>(i * stride + j)];
    }
    int64_t stride;
    std::vector<T> data;
};

struct Sizes {
    int64_t m, n, k;
};

/// gemm() in pieces of at most `largest`, against plain loops.
template <class T> void check_product(const Sizes &size, int64_t largest, int64_t gap)
{
    std::mt19937_64 bits(3);
    const auto [m, n, k] = size;
    for (const Op op_a : {Op::none, Op::transpose}) {
        for (const Op op_b : {Op::none, Op::transpose}) {
            const bool a_turned = op_a == Op::transpose;
            const bool b_turned = op_b == Op::transpose;
            const Numbers<T> a(a_turned ? k : m, a_turned ? m : k, gap, bits);
            const Numbers<T> b(b_turned ? n : k, b_turned ? k : n, gap, bits);
            const Numbers<T> before(m, n, gap, bits);
            for (const bool accumulate : {false, true}) {
                INFO(m << " x " << n << " x " << k << ", largest " << largest << ", gap " << gap
                       << ", turned " << a_turned << b_turned << ", accumulate " << accumulate);
                std::vector<T> c = before.data;
                std::vector<T> expected = before.data;
                for (int64_t i = 0; i < m; ++i) {
                    for (int64_t j = 0; j < n; ++j) {
                        const auto place = static_cast<size_t>(i * before.stride + j);
                        T sum = accumulate ? before.at(i, j) : T(0);
                        for (int64_t p = 0; p < k; ++p) {
                            sum += 2 * (a_turned ? a.at(p, i) : a.at(i, p)) *
                                   (b_turned ? b.at(j, p) : b.at(p, j));
                        }
                        expected[place] = sum;
                        if (!accumulate) { // what is there is not read
                            c[place] = std::numeric_limits<T>::quiet_NaN();
                        }
                    }
                }
                gemm<T>(m, n, k, T(2), {a.data.data(), a.stride, op_a},
                        {b.data.data(), b.stride, op_b}, accumulate, c.data(), before.stride,
                        largest);
                REQUIRE(c == expected);
            }
        }
    }
}

} // namespace

TEMPLATE_TEST_CASE("products are the same however they are cut", "[gemm]", float, double)
{
    for (const int64_t largest : {2, 3, 5, 6, 100}) {
        for (const int64_t gap : {0, 4}) {
            check_product<TestType>({4, 5, 6}, largest, gap);
        }
    }
}

TEMPLATE_TEST_CASE("products of any shape are right", "[gemm]", float, double)
{
    // On either side of every library's rows, columns and depth of a kernel, and whole vectors.
    for (const Sizes size : {Sizes{1, 1, 1},
                             {1, 100, 70},
                             {100, 1, 70},
                             {300, 8, 1},
                             {300, 8, 70},
                             {17, 33, 1},
                             {48, 64, 16},
                             {65, 49, 300},
                             {5, 97, 1000}}) {
        check_product<TestType>(size, std::numeric_limits<int>::max(), 0);
        check_product<TestType>(size, 64, 3);
    }
}

TEST_CASE("products do not depend on the number of threads", "[gemm]")
{
    constexpr int64_t m = 200;
    constexpr int64_t n = 1000;
    constexpr int64_t k = 37;
    std::mt19937_64 bits(5);
    std::normal_distribution<float> normal;
    const auto draw = [&](int64_t count) {
        std::vector<float> numbers(static_cast<size_t>(count));
        std::generate(numbers.begin(), numbers.end(), [&] { return normal(bits); });
        return numbers;
    };
    const std::vector<float> a = draw(k * m); // turned
    const std::vector<float> b = draw(k * n);
    const auto product = [&](int threads) {
        std::vector<float> c(m * n, 1);
        xconv::cpu::multiply(xconv::Dtype::f32, -0.5, {{a.data(), k, m, m}, true},
                             {{b.data(), k, n, n}, false}, true, {c.data(), m, n, n}, threads);
        return c;
    };
    const std::vector<float> one = product(1);
    for (int64_t i = 0; i < m; i += 7) {
        for (int64_t j = 0; j < n; ++j) {
            double sum = 1;
            for (int64_t p = 0; p < k; ++p) {
                sum -= 0.5 * static_cast<double>(a[static_cast<size_t>(p * m + i)]) *
                       static_cast<double>(b[static_cast<size_t>(p * n + j)]);
            }
            REQUIRE(std::abs(static_cast<double>(one[static_cast<size_t>(i * n + j)]) - sum) <
                    1e-4);
        }
    }
    REQUIRE(product(2) == one);
    REQUIRE(product(3) == one);
    REQUIRE(product(8) == one);
}
