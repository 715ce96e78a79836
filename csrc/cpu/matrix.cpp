#include "cpu/matrix.hpp"

#include <cblas.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "checked.hpp"
#include "cpu/parallel.hpp"

namespace xconv::cpu {

namespace {

/// Below this many elements a loop is not worth waking other threads.
constexpr int64_t kGrain = int64_t{1} << 14;

int threads_for(int64_t elements, int threads)
{
    return static_cast<int>(std::clamp<int64_t>(elements / kGrain, 1, threads));
}

void gemm_at_b(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta,
               float *c, int ldc)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1.0F, a, lda, b, ldb, beta, c,
                ldc);
}

void gemm_at_b(int m, int n, int k, const double *a, int lda, const double *b, int ldb, double beta,
               double *c, int ldc)
{
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1.0, a, lda, b, ldb, beta, c,
                ldc);
}

/// CBLAS counts in int; larger extents are taken in blocks of this.
constexpr int64_t kBlasBlock = int64_t{1} << 30;

int blas_stride(int64_t stride)
{
    if (stride > std::numeric_limits<int>::max()) {
        fail(XCONV_UNSUPPORTED, "row of {} elements: more than the BLAS can address", stride);
    }
    return static_cast<int>(stride);
}

template <class T> void multiply_typed(ConstMatrix a, ConstMatrix b, bool accumulate, Matrix out)
{
    const auto *left = static_cast<const T *>(a.data);
    const auto *right = static_cast<const T *>(b.data);
    auto *result = static_cast<T *>(out.data);
    for (int64_t k = 0; k < a.rows; k += kBlasBlock) {
        const int64_t depth = std::min(kBlasBlock, a.rows - k);
        gemm_at_b(blas_stride(a.cols), blas_stride(b.cols), static_cast<int>(depth),
                  left + k * a.stride, blas_stride(a.stride), right + k * b.stride,
                  blas_stride(b.stride), accumulate || k > 0 ? T(1) : T(0), result,
                  blas_stride(out.stride));
    }
}

} // namespace

void multiply_at_b(Dtype dtype, ConstMatrix a, ConstMatrix b, bool accumulate, Matrix out,
                   int threads)
{
    const ThreadScope scope(threads);
    with_type(dtype, [&](auto tag) {
        multiply_typed<typename decltype(tag)::type>(a, b, accumulate, out);
    });
}

void transpose(Dtype dtype, const void *in, int64_t a, int64_t b, int64_t c, int64_t run, void *out,
               int threads)
{
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(threads_for(a * b * c * run, threads), a * c, [&](int64_t i) {
            const int64_t slice = i / c;
            const int64_t column = i % c;
            const T *from = static_cast<const T *>(in) + (slice * b * c + column) * run;
            T *to = static_cast<T *>(out) + (slice * c + column) * b * run;
            for (int64_t row = 0; row < b; ++row) {
                std::copy_n(from + row * c * run, run, to + row * run);
            }
        });
    });
}

void copy(const void *from, void *to, int64_t bytes, int threads)
{
    constexpr int64_t block = int64_t{1} << 20;
    parallel_for(threads, ceil_div(bytes, block), [&](int64_t i) {
        std::memcpy(static_cast<char *>(to) + i * block,
                    static_cast<const char *>(from) + i * block,
                    static_cast<size_t>(std::min(block, bytes - i * block)));
    });
}

void copy_matrix(Dtype dtype, ConstMatrix in, Matrix out, int threads)
{
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(threads_for(in.rows * in.cols, threads), in.rows, [&](int64_t i) {
            const T *from = static_cast<const T *>(in.data) + i * in.stride;
            T *to = static_cast<T *>(out.data) + i * out.stride;
            std::copy_n(from, in.cols, to);
        });
    });
}

void finish_filter(Dtype dtype, int64_t runs, int64_t kernel, bool flip, const void *sum,
                   double scale, double beta, void *dw, int threads)
{
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const T alpha = static_cast<T>(scale);
        const T keep = static_cast<T>(beta);
        parallel_for(threads_for(runs * kernel, threads), runs, [&](int64_t i) {
            const T *from = static_cast<const T *>(sum) + i * kernel;
            T *to = static_cast<T *>(dw) + i * kernel;
            for (int64_t k = 0; k < kernel; ++k) {
                const T value = alpha * from[flip ? kernel - 1 - k : k];
                to[k] = keep == T(0) ? value : value + keep * to[k];
            }
        });
    });
}

void mirror(Dtype dtype, const void *from, int64_t runs, int64_t kernel, void *to, int threads)
{
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(threads_for(runs * kernel, threads), runs, [&](int64_t i) {
            const T *run = static_cast<const T *>(from) + i * kernel;
            std::reverse_copy(run, run + kernel, static_cast<T *>(to) + i * kernel);
        });
    });
}

} // namespace xconv::cpu
