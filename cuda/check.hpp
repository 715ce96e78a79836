// Failures of the CUDA libraries as Errors of the core.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include "error.hpp"

namespace xconv::cuda {

/// Throw an Error unless the call named `what` succeeded.
void check(cudaError_t result, const char *what);
void check(cublasStatus_t result, const char *what);

} // namespace xconv::cuda
