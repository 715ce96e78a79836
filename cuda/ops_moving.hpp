// Operations that mostly move numbers: as Backend documents them.
#pragma once

#include "backend.hpp"
#include "cuda/stream.hpp"

namespace xconv::cuda {

void copy(Stream stream, const void *from, void *to, int64_t bytes);
void read(Stream stream, const void *from, void *to, int64_t bytes);
void convert(Stream stream, Dtype from, ConstMatrix in, Runs columns, Dtype to, Matrix out);
void transpose(Stream stream, Dtype compute, const void *in, int64_t a, int64_t b, int64_t c,
               int64_t run, bool accumulate, void *out);
void finish_filter(Stream stream, Dtype compute, int64_t runs, int64_t kernel, bool flip,
                   const void *sum, double scale, double beta, Dtype dw_dtype, void *dw);
void mirror(Stream stream, Dtype dtype, const void *from, int64_t runs, int64_t kernel, void *to);

} // namespace xconv::cuda
