// A CUDA device and a caller's stream on it, with the libraries' handles and all the
// memory that is not the caller's: made once, when the context is.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <mutex>
#include <optional>

#include "cuda/cublas.hpp"
#include "cuda/device_backend.hpp"
#if XCONV_WITH_CUDNN
#include "cuda/cudnn_graph.hpp"
#endif

namespace xconv::cuda {

/// Makes a device the calling thread's own, and gives back the one that was.
class DeviceScope {
  public:
    explicit DeviceScope(int device);
    ~DeviceScope();
    DeviceScope(const DeviceScope &) = delete;
    DeviceScope &operator=(const DeviceScope &) = delete;

  private:
    int device_;
    int before_ = 0;
};

/// Device memory that frees itself.
class DeviceMemory {
  public:
    explicit DeviceMemory(size_t bytes);
    ~DeviceMemory() { static_cast<void>(cudaFree(data_)); }
    DeviceMemory(const DeviceMemory &) = delete;
    DeviceMemory &operator=(const DeviceMemory &) = delete;
    [[nodiscard]] void *data() const { return data_; }

  private:
    void *data_ = nullptr;
};

class CudaDevice final : public DeviceBackend {
  public:
    CudaDevice(int device, Stream stream, bool allow_tf32);
    ~CudaDevice() override;

    [[nodiscard]] Key key() const override { return {XCONV_CUDA, device_, 1, allow_tf32_}; }
    void enter() const override;
    void leave() const noexcept override;
    void check_pointer(const void *pointer, const char *argument) const override;

    [[nodiscard]] const Blas &blas() const override { return libraries_->blas; }
#if XCONV_WITH_CUDNN
    [[nodiscard]] const cudnn::Handle &cudnn() const { return *libraries_->cudnn; }

    [[nodiscard]] std::unique_ptr<ForwardPass> forward(const ConvGeometry &g,
                                                       int64_t workspace_limit) const override;
    [[nodiscard]] std::unique_ptr<DataPass> backward_data(const ConvGeometry &g,
                                                          int64_t workspace_limit) const override;
    [[nodiscard]] std::unique_ptr<FilterPass>
    backward_filter(const ConvGeometry &g, int64_t workspace_limit) const override;
#endif

  protected:
    [[nodiscard]] void *scratch() const override { return libraries_->scratch.data(); }

  private:
    struct Libraries {
        Libraries(int device, Stream stream, bool allow_tf32);
        DeviceMemory scratch;
        DeviceMemory blas_workspace;
        CublasBlas blas;
#if XCONV_WITH_CUDNN
        std::shared_ptr<const cudnn::Handle> cudnn;
#endif
    };

    int device_;
    bool allow_tf32_;
    std::optional<Libraries> libraries_; // made and freed with the device current
    // cuBLAS's workspace and the scratch memory serve one call at a time.
    mutable std::mutex turn_;
    mutable std::optional<DeviceScope> scope_;
};

} // namespace xconv::cuda
