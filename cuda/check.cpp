#include "cuda/check.hpp"

namespace xconv::cuda {

namespace {

/// After these, every call of the process on this device fails.
bool is_sticky(cudaError_t error)
{
    switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorContextIsDestroyed:
        return true;
    default:
        return false;
    }
}

xconv_status status_of(cudaError_t error)
{
    switch (error) {
    case cudaErrorMemoryAllocation:
        return XCONV_OUT_OF_MEMORY;
    // The library has no code for this device.
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidKernelImage:
    case cudaErrorUnsupportedPtxVersion:
        return XCONV_UNSUPPORTED;
    default:
        return XCONV_DEVICE_ERROR;
    }
}

} // namespace

void check(cudaError_t result, const char *what)
{
    if (result == cudaSuccess) {
        return;
    }
    // Told once: the application's next cudaGetLastError() is about its own calls.
    static_cast<void>(cudaGetLastError());
    fail(status_of(result), "{}: {} ({}){}", what, cudaGetErrorString(result),
         cudaGetErrorName(result),
         is_sticky(result) ? "; the device's context is lost, and so is this process for CUDA"
                           : "");
}

void check(cublasStatus_t result, const char *what)
{
    if (result == CUBLAS_STATUS_SUCCESS) {
        return;
    }
    const xconv_status status =
        result == CUBLAS_STATUS_ALLOC_FAILED ? XCONV_OUT_OF_MEMORY : XCONV_DEVICE_ERROR;
    // What made cuBLAS fail is often an error of the device.
    const cudaError_t device = cudaGetLastError();
    fail(status, "{}: {}{}{}", what, cublasGetStatusString(result),
         device == cudaSuccess ? "" : ", after ",
         device == cudaSuccess ? "" : cudaGetErrorString(device));
}

} // namespace xconv::cuda
