// Row-major matrix products by oneDNN or a CBLAS, for sizes that need not fit the 32-bit
// integers of their interfaces and kernels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace xconv::cpu {

enum class Op { none, transpose };

template <class T> struct Operand {
    const T *data;
    int64_t stride; // of the rows as they lie in memory
    Op op = Op::none;
};

/// c (m x n) = alpha op(a) op(b) + beta c; k is the inner size, and c is not read for
/// beta = 0.
template <class T> struct Product {
    int m, n, k;
    T alpha;
    Operand<T> a, b;
    T beta;
    T *c;
    int64_t c_stride;
};
/// Strides have to fit an int.
void multiply(const Product<float> &product);
void multiply(const Product<double> &product);

/// c (m x n) = alpha op(a) op(b), or c += it when `accumulate`; k is the inner size.
/// Products are cut so that no size passed on exceeds `largest`: a matrix whose
/// stride does is handed over one row at a time.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, T alpha, Operand<T> a, Operand<T> b, bool accumulate,
          T *c, int64_t c_stride, int64_t largest = std::numeric_limits<int>::max())
{
    int64_t step_m = std::min(m, largest);
    int64_t step_n = std::min(n, largest);
    int64_t step_k = std::min(k, largest);
    const auto row_by_row = [largest](int64_t &stride, int64_t &rows) {
        if (stride > largest) {
            rows = 1;
        }
    };
    row_by_row(a.stride, a.op == Op::none ? step_m : step_k);
    row_by_row(b.stride, b.op == Op::none ? step_k : step_n);
    row_by_row(c_stride, step_m);
    const auto fit = [largest](int64_t stride) { return std::min(stride, largest); };
    const auto at = [](const Operand<T> &o, int64_t i, int64_t j) {
        return o.op == Op::none ? o.data + i * o.stride + j : o.data + j * o.stride + i;
    };
    for (int64_t i = 0; i < m; i += step_m) {
        for (int64_t j = 0; j < n; j += step_n) {
            for (int64_t p = 0; p < k; p += step_k) {
                multiply(Product<T>{static_cast<int>(std::min(step_m, m - i)),
                                    static_cast<int>(std::min(step_n, n - j)),
                                    static_cast<int>(std::min(step_k, k - p)),
                                    alpha,
                                    {at(a, i, p), fit(a.stride), a.op},
                                    {at(b, p, j), fit(b.stride), b.op},
                                    accumulate || p > 0 ? T(1) : T(0),
                                    c + i * c_stride + j,
                                    fit(c_stride)});
            }
        }
    }
}

} // namespace xconv::cpu
