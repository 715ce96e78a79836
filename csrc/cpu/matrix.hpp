// Small dense operations on the CPU: GEMM from the BLAS, and element-wise moves.
#pragma once

#include "backend.hpp"

namespace xconv::cpu {

void multiply_at_b(Dtype dtype, ConstMatrix a, ConstMatrix b, bool accumulate, Matrix out,
                   int threads);
void transpose(Dtype dtype, const void *in, int64_t a, int64_t b, int64_t c, int64_t run, void *out,
               int threads);
void copy(const void *from, void *to, int64_t bytes, int threads);
void copy_matrix(Dtype dtype, ConstMatrix in, Matrix out, int threads);
void finish_filter(Dtype dtype, int64_t runs, int64_t kernel, bool flip, const void *sum,
                   double scale, double beta, void *dw, int threads);
void mirror(Dtype dtype, const void *from, int64_t runs, int64_t kernel, void *to, int threads);

} // namespace xconv::cpu
