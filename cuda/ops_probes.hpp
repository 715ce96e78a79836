// The random projection on a stream; the operations are those of Backend.
#pragma once

#include "backend.hpp"
#include "cuda/stream.hpp"

namespace xconv::cuda {

void project(Stream stream, Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
             void *workspace);
int64_t project_workspace(Dtype dtype, int64_t rows, int64_t length, int64_t columns);
void draw(Stream stream, Dtype compute, const Probes &probes, Runs rows, Matrix out);
void expand(Stream stream, Dtype compute, const Probes &probes, Runs rows, ConstMatrix coefficients,
            const RunConstants *constants, Matrix out);
void combine(Stream stream, Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
             Matrix out);

} // namespace xconv::cuda
