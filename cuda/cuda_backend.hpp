// The CUDA backend: DeviceBackend on a real device, with cuBLAS and cuDNN.
#pragma once

#include <memory>
#include <string>

#include "backend.hpp"

namespace xconv::cuda {

/// Create the CUDA backend for a context; throws Error on a bad descriptor, or
/// where there is no such device.
std::shared_ptr<const Backend> make_cuda_backend(const xconv_context_desc &desc);
/// "CUDA 13.0, cuBLAS 13.0.2, cuDNN 9.19.0, sm_80 sm_90".
std::string describe_cuda_backend();

} // namespace xconv::cuda
