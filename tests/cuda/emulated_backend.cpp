// The CUDA backend with its kernels run as loops on the CPU (cuda/launch.hpp) and a
// CBLAS in place of cuBLAS: what the library is tested with where no GPU is.
#include <array>
#include <mutex>

#include "cblas_blas.hpp"
#include "cuda/cuda_backend.hpp"
#include "cuda/device_backend.hpp"

namespace xconv::cuda {

namespace {

class EmulatedBackend final : public DeviceBackend {
  public:
    explicit EmulatedBackend(bool allow_tf32) : DeviceBackend(nullptr), allow_tf32_(allow_tf32) {}
    [[nodiscard]] Key key() const override { return {XCONV_CUDA, 0, 1, allow_tf32_}; }
    [[nodiscard]] const Blas &blas() const override { return blas_; }

    /// What one stream runs in order, threads here must.
    void enter() const override { turn_.lock(); }
    void leave() const noexcept override { turn_.unlock(); }

  protected:
    [[nodiscard]] void *scratch() const override { return scratch_.data(); }

  private:
    bool allow_tf32_;
    emulated::CblasBlas blas_;
    mutable std::mutex turn_;
    alignas(kAlignment) mutable std::array<std::byte, kScratchBytes> scratch_{};
};

} // namespace

std::shared_ptr<const Backend> make_cuda_backend(const xconv_context_desc &desc)
{
    if (desc.device_index != 0) {
        fail(XCONV_DEVICE_ERROR, "device_index = {}: there is 1 CUDA device", desc.device_index);
    }
    if (desc.threads != 0) {
        fail(XCONV_INVALID_ARGUMENT, "threads = {}: must be 0 on CUDA", desc.threads);
    }
    return std::make_shared<EmulatedBackend>(desc.allow_tf32 != 0);
}

std::string describe_cuda_backend() { return "kernels as loops on the CPU, CBLAS"; }

} // namespace xconv::cuda
