// Row-major matrix products by a CBLAS, for sizes that need not fit the 32-bit
// integers of its interface.
#pragma once

#include <cblas.h>

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

namespace detail {

inline void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, float alpha,
                       const float *a, int lda, const float *b, int ldb, float beta, float *c,
                       int ldc)
{
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

inline void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha,
                       const double *a, int lda, const double *b, int ldb, double beta, double *c,
                       int ldc)
{
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

} // namespace detail

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
    const auto fit = [largest](int64_t stride) {
        return static_cast<int>(std::min(stride, largest));
    };
    const auto at = [](const Operand<T> &o, int64_t i, int64_t j) {
        return o.op == Op::none ? o.data + i * o.stride + j : o.data + j * o.stride + i;
    };
    const auto flag = [](Op op) { return op == Op::none ? CblasNoTrans : CblasTrans; };
    for (int64_t i = 0; i < m; i += step_m) {
        for (int64_t j = 0; j < n; j += step_n) {
            for (int64_t p = 0; p < k; p += step_k) {
                detail::cblas_gemm(
                    flag(a.op), flag(b.op), static_cast<int>(std::min(step_m, m - i)),
                    static_cast<int>(std::min(step_n, n - j)),
                    static_cast<int>(std::min(step_k, k - p)), alpha, at(a, i, p), fit(a.stride),
                    at(b, p, j), fit(b.stride), accumulate || p > 0 ? T(1) : T(0),
                    c + i * c_stride + j, fit(c_stride));
            }
        }
    }
}

} // namespace xconv::cpu
