#include "cuda/cuda_backend.hpp"

#include <cuda_runtime_api.h>

#include "cuda/check.hpp"
#include "cuda/cublas.hpp"
#include "cuda/cuda_device.hpp"

namespace xconv::cuda {

namespace {

std::string version_of(int version)
{
    return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

/// Throw unless the device is there and this library has code for it.
void require_device(int32_t index)
{
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorInsufficientDriver) {
        static_cast<void>(cudaGetLastError());
        int driver = 0;
        static_cast<void>(cudaDriverGetVersion(&driver));
        fail(XCONV_DEVICE_ERROR, "device = CUDA: {}",
             driver == 0 ? "no CUDA driver is installed"
                         : fmt::format("the driver is for CUDA {}, this library needs {}",
                                       version_of(driver), version_of(CUDART_VERSION)));
    }
    if (error == cudaErrorNoDevice) {
        static_cast<void>(cudaGetLastError());
        fail(XCONV_DEVICE_ERROR, "device = CUDA: no CUDA device is present");
    }
    check(error, "device = CUDA");
    if (index < 0 || index >= count) {
        fail(XCONV_DEVICE_ERROR, "device_index = {}: there are {} CUDA device(s)", index, count);
    }
}

} // namespace

std::shared_ptr<const Backend> make_cuda_backend(const xconv_context_desc &desc)
{
    if (desc.threads != 0) {
        fail(XCONV_INVALID_ARGUMENT, "threads = {}: must be 0 on CUDA", desc.threads);
    }
    require_device(desc.device_index);
    return std::make_shared<CudaDevice>(desc.device_index, static_cast<Stream>(desc.stream),
                                        desc.allow_tf32 != 0);
}

std::string describe_cuda_backend()
{
    std::string text = fmt::format("CUDA {}, {}", version_of(CUDART_VERSION), describe_cublas());
#if XCONV_WITH_CUDNN
    text += ", " + cudnn::describe_library();
#endif
    return fmt::format("{}, {}", text, XCONV_CUDA_ARCHITECTURES);
}

} // namespace xconv::cuda
