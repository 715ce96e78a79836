#include "cuda/cublas.hpp"

#include <algorithm>

#include "cuda/check.hpp"

namespace xconv::cuda {

namespace {

cudaDataType_t data_type(Dtype dtype)
{
    switch (dtype) {
    case Dtype::f64:
        return CUDA_R_64F;
    case Dtype::f32:
        return CUDA_R_32F;
    case Dtype::f16:
        return CUDA_R_16F;
    default:
        return CUDA_R_16BF;
    }
}

cublasOperation_t operation(const Factor &factor)
{
    return factor.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
}

/// cuBLAS wants a leading dimension that covers a row even where there is but one.
int64_t leading(int64_t stride, int64_t length) { return std::max(stride, length); }

} // namespace

CublasBlas::CublasBlas(Stream stream, void *workspace, size_t workspace_bytes, bool allow_tf32)
    : allow_tf32_(allow_tf32)
{
    check(cublasCreate(&handle_), "cublasCreate");
    try {
        check(cublasSetStream(handle_, stream), "cublasSetStream");
        // After the stream: setting that takes the workspace away.
        check(cublasSetWorkspace(handle_, workspace, workspace_bytes), "cublasSetWorkspace");
        check(cublasSetAtomicsMode(handle_, CUBLAS_ATOMICS_NOT_ALLOWED), "cublasSetAtomicsMode");
        check(cublasSetMathMode(handle_, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION),
              "cublasSetMathMode");
    }
    catch (...) {
        static_cast<void>(cublasDestroy(handle_));
        throw;
    }
}

CublasBlas::~CublasBlas() { static_cast<void>(cublasDestroy(handle_)); }

void CublasBlas::multiply(const Product &p) const
{
    const bool wide = p.dtype == Dtype::f64;
    const float alpha32 = static_cast<float>(p.alpha);
    const float beta32 = p.accumulate ? 1.0F : 0.0F;
    const double beta64 = p.accumulate ? 1.0 : 0.0;
    const cublasComputeType_t compute = wide ? CUBLAS_COMPUTE_64F
                                        : allow_tf32_ && p.dtype == Dtype::f32
                                            ? CUBLAS_COMPUTE_32F_FAST_TF32
                                            : CUBLAS_COMPUTE_32F;
    const cudaDataType_t in = data_type(p.dtype);
    const cudaDataType_t out = data_type(p.out_dtype);
    const void *alpha = wide ? static_cast<const void *>(&p.alpha) : &alpha32;
    const void *beta = wide ? static_cast<const void *>(&beta64) : &beta32;
    const int64_t lda = leading(p.a.stride, p.a.transposed ? p.rows : p.inner);
    const int64_t ldb = leading(p.b.stride, p.b.transposed ? p.inner : p.cols);
    const int64_t ldc = leading(p.out_stride, p.cols);
    // cuBLAS counts by columns: it is shown the transposes, out^T = b^T a^T.
    if (p.count == 1) { // the call whose long sums are shared out among multiprocessors
        check(cublasGemmEx_64(handle_, operation(p.b), operation(p.a), p.cols, p.rows, p.inner,
                              alpha, p.b.data, in, ldb, p.a.data, in, lda, beta, p.out, out, ldc,
                              compute, CUBLAS_GEMM_DEFAULT),
              "cublasGemmEx");
        return;
    }
    check(cublasGemmStridedBatchedEx_64(handle_, operation(p.b), operation(p.a), p.cols, p.rows,
                                        p.inner, alpha, p.b.data, in, ldb, p.b.step, p.a.data, in,
                                        lda, p.a.step, beta, p.out, out, ldc, p.out_step, p.count,
                                        compute, CUBLAS_GEMM_DEFAULT),
          "cublasGemmStridedBatchedEx");
}

std::string describe_cublas()
{
    int major = 0;
    int minor = 0;
    int patch = 0;
    check(cublasGetProperty(MAJOR_VERSION, &major), "cublasGetProperty");
    check(cublasGetProperty(MINOR_VERSION, &minor), "cublasGetProperty");
    check(cublasGetProperty(PATCH_LEVEL, &patch), "cublasGetProperty");
    return fmt::format("cuBLAS {}.{}.{}", major, minor, patch);
}

} // namespace xconv::cuda
