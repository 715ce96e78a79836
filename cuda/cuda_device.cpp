#include "cuda/cuda_device.hpp"

#include "conv_banded.hpp"
#include "cuda/check.hpp"
#if XCONV_WITH_CUDNN
#include "cuda/conv_cudnn.hpp"
#include "cuda/conv_im2col.hpp"
#endif

namespace xconv::cuda {

namespace {

// What cuBLAS recommends for the largest devices.
constexpr size_t kBlasWorkspace = size_t{32} << 20;

/// Calls `release` with the device current, unless the driver is gone, and the device's
/// memory with it.
template <class Release> void release_on(int device, const Release &release)
{
    std::optional<DeviceScope> scope;
    try {
        scope.emplace(device);
    }
    catch (const Error &) {
    }
    release();
}

#if XCONV_WITH_CUDNN
/// Plans hold on to it: the last of them may go while another device is current.
std::shared_ptr<const cudnn::Handle> make_cudnn_handle(int device, Stream stream)
{
    return {new cudnn::Handle(stream), [device](const cudnn::Handle *handle) {
                release_on(device, [handle] { delete handle; });
            }};
}
#endif

} // namespace

DeviceScope::DeviceScope(int device) : device_(device)
{
    check(cudaGetDevice(&before_), "cudaGetDevice");
    if (device_ != before_) {
        check(cudaSetDevice(device_), "cudaSetDevice");
    }
}

DeviceScope::~DeviceScope()
{
    // Setting a device also makes its primary context current: not where nothing was
    // changed, since the application may have one of its own.
    if (device_ != before_) {
        static_cast<void>(cudaSetDevice(before_));
    }
}

DeviceMemory::DeviceMemory(size_t bytes) { check(cudaMalloc(&data_, bytes), "cudaMalloc"); }

CudaDevice::Libraries::Libraries([[maybe_unused]] int device, Stream stream, bool allow_tf32)
    : scratch(kScratchBytes), blas_workspace(kBlasWorkspace),
      blas(stream, blas_workspace.data(), kBlasWorkspace, allow_tf32)
#if XCONV_WITH_CUDNN
      ,
      cudnn(make_cudnn_handle(device, stream))
#endif
{
}

CudaDevice::CudaDevice(int device, Stream stream, bool allow_tf32)
    : DeviceBackend(stream), device_(device), allow_tf32_(allow_tf32)
{
    const DeviceScope scope(device_);
    libraries_.emplace(device, stream, allow_tf32);
}

CudaDevice::~CudaDevice()
{
    release_on(device_, [this] { libraries_.reset(); });
}

void CudaDevice::enter() const
{
    turn_.lock();
    try {
        scope_.emplace(device_);
    }
    catch (...) {
        turn_.unlock();
        throw;
    }
}

void CudaDevice::leave() const noexcept
{
    scope_.reset();
    turn_.unlock();
}

void CudaDevice::check_pointer(const void *pointer, const char *argument) const
{
    cudaPointerAttributes attributes{};
    check(cudaPointerGetAttributes(&attributes, pointer), "cudaPointerGetAttributes");
    if (attributes.type == cudaMemoryTypeManaged) {
        return;
    }
    if (attributes.type != cudaMemoryTypeDevice) {
        fail(XCONV_INVALID_ARGUMENT, "{} = {}: is memory of the host, must be of CUDA device {}",
             argument, pointer, device_);
    }
    if (attributes.device != device_) {
        fail(XCONV_INVALID_ARGUMENT, "{} = {}: is memory of CUDA device {}, must be of device {}",
             argument, pointer, attributes.device, device_);
    }
}

#if XCONV_WITH_CUDNN

std::unique_ptr<ForwardPass> CudaDevice::forward(const ConvGeometry &g,
                                                 int64_t workspace_limit) const
{
    return banded_forward(g, workspace_limit, [this](const ConvGeometry &part, int64_t limit) {
        auto pass = make_cudnn_forward(libraries_->cudnn, part, {allow_tf32_, false, limit});
        return pass ? std::move(pass) : make_im2col_forward(part, limit);
    });
}

std::unique_ptr<DataPass> CudaDevice::backward_data(const ConvGeometry &g,
                                                    int64_t workspace_limit) const
{
    return banded_data(g, workspace_limit, [this](const ConvGeometry &part, int64_t limit) {
        auto pass = make_cudnn_backward_data(libraries_->cudnn, part, {allow_tf32_, false, limit});
        return pass ? std::move(pass) : make_im2col_backward_data(part, limit);
    });
}

std::unique_ptr<FilterPass> CudaDevice::backward_filter(const ConvGeometry &g,
                                                        int64_t workspace_limit) const
{
    return banded_filter(g, workspace_limit, [this](const ConvGeometry &part, int64_t limit) {
        auto pass =
            make_cudnn_backward_filter(libraries_->cudnn, part, {allow_tf32_, false, limit});
        return pass ? std::move(pass) : make_im2col_backward_filter(part, limit);
    });
}

#endif

} // namespace xconv::cuda
