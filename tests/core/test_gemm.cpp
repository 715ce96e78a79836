// Matrix products that are cut for the sizes of CBLAS, against plain loops.
#include <random>
#include <vector>

#include "../catch.hpp"
#include "cpu/gemm.hpp"

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

} // namespace

TEMPLATE_TEST_CASE("products are the same however they are cut", "[gemm]", float, double)
{
    using T = TestType;
    std::mt19937_64 bits(3);
    constexpr int64_t m = 4;
    constexpr int64_t n = 5;
    constexpr int64_t k = 6;
    for (const Op op_a : {Op::none, Op::transpose}) {
        for (const Op op_b : {Op::none, Op::transpose}) {
            for (const int64_t largest : {2, 3, 5, 6, 100}) {
                for (const int64_t gap : {0, 4}) {
                    const bool a_turned = op_a == Op::transpose;
                    const bool b_turned = op_b == Op::transpose;
                    const Numbers<T> a(a_turned ? k : m, a_turned ? m : k, gap, bits);
                    const Numbers<T> b(b_turned ? n : k, b_turned ? k : n, gap, bits);
                    const Numbers<T> before(m, n, gap, bits);
                    for (const bool accumulate : {false, true}) {
                        INFO("largest " << largest << ", gap " << gap << ", turned " << a_turned
                                        << b_turned << ", accumulate " << accumulate);
                        std::vector<T> c = before.data;
                        std::vector<T> expected = before.data;
                        for (int64_t i = 0; i < m; ++i) {
                            for (int64_t j = 0; j < n; ++j) {
                                T sum = accumulate ? before.at(i, j) : T(0);
                                for (int64_t p = 0; p < k; ++p) {
                                    sum += 2 * (a_turned ? a.at(p, i) : a.at(i, p)) *
                                           (b_turned ? b.at(j, p) : b.at(p, j));
                                }
                                expected[static_cast<size_t>(i * before.stride + j)] = sum;
                            }
                        }
                        gemm<T>(m, n, k, T(2), {a.data.data(), a.stride, op_a},
                                {b.data.data(), b.stride, op_b}, accumulate, c.data(),
                                before.stride, largest);
                        REQUIRE(c == expected);
                    }
                }
            }
        }
    }
}
