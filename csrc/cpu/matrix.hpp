// Small dense operations on the CPU: products, and element-wise moves.
#pragma once

#include "backend.hpp"

namespace xconv::cpu {

void multiply(Dtype compute, double alpha, const xconv::Operand &a, const xconv::Operand &b,
              bool accumulate, Matrix out, int threads);
void transpose(Dtype compute, const void *in, int64_t a, int64_t b, int64_t c, int64_t run,
               bool accumulate, void *out, int threads);
void copy(const void *from, void *to, int64_t bytes, int threads);
void convert(Dtype from, ConstMatrix in, Runs columns, Dtype to, Matrix out, int threads);
void finish_filter(Dtype compute, int64_t runs, int64_t kernel, bool flip, const void *sum,
                   double scale, double beta, Dtype dw_dtype, void *dw, int threads);
void mirror(Dtype dtype, const void *from, int64_t runs, int64_t kernel, void *to, int threads);

} // namespace xconv::cpu
