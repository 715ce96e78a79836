#include "cblas_blas.hpp"

#include <cblas.h>

#include <algorithm>
#include <vector>

namespace emulated {

namespace {

using xconv::ComputeType;
using xconv::cuda::Factor;
using xconv::cuda::Product;

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha, const float *a,
          int lda, const float *b, int ldb, float *c, int ldc)
{
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, static_cast<float>(alpha), a, lda, b, ldb, 0.0F, c,
                ldc);
}

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, double alpha,
          const double *a, int lda, const double *b, int ldb, double *c, int ldc)
{
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, 0.0, c, ldc);
}

/// A factor as dense rows of numbers.
template <class T>
std::vector<ComputeType<T>> widened(const T *data, int64_t stride, int64_t rows, int64_t cols)
{
    std::vector<ComputeType<T>> out;
    for (int64_t i = 0; i < rows; ++i) {
        std::transform(data + i * stride, data + i * stride + cols, std::back_inserter(out),
                       [](T value) { return static_cast<ComputeType<T>>(value); });
    }
    return out;
}

template <class T, class Out> void multiply_one(const Product &p, const T *a, const T *b, Out *out)
{
    using Number = ComputeType<T>;
    const auto flag = [](const Factor &f) { return f.transposed ? CblasTrans : CblasNoTrans; };
    const int64_t a_cols = p.a.transposed ? p.rows : p.inner;
    const int64_t b_cols = p.b.transposed ? p.inner : p.cols;
    const auto left = widened(a, p.a.stride, p.a.transposed ? p.inner : p.rows, a_cols);
    const auto right = widened(b, p.b.stride, p.b.transposed ? p.cols : p.inner, b_cols);
    std::vector<Number> sum(static_cast<size_t>(p.rows * p.cols));
    gemm(flag(p.a), flag(p.b), static_cast<int>(p.rows), static_cast<int>(p.cols),
         static_cast<int>(p.inner), p.alpha, left.data(), static_cast<int>(a_cols), right.data(),
         static_cast<int>(b_cols), sum.data(), static_cast<int>(p.cols));
    for (int64_t i = 0; i < p.rows; ++i) {
        for (int64_t j = 0; j < p.cols; ++j) {
            Out &to = out[i * p.out_stride + j];
            const Number value = sum[static_cast<size_t>(i * p.cols + j)];
            to = static_cast<Out>(p.accumulate ? static_cast<Number>(to) + value : value);
        }
    }
}

} // namespace

void CblasBlas::multiply(const Product &p) const
{
    xconv::with_tensor_type(p.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto all = [&](auto *out) {
            for (int64_t i = 0; i < p.count; ++i) {
                multiply_one(p, static_cast<const T *>(p.a.data) + i * p.a.step,
                             static_cast<const T *>(p.b.data) + i * p.b.step, out + i * p.out_step);
            }
        };
        if (p.out_dtype == p.dtype) {
            all(static_cast<T *>(p.out));
        }
        else {
            all(static_cast<ComputeType<T> *>(p.out));
        }
    });
}

} // namespace emulated
