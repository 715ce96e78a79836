// cuDNN's graph interface, as far as one convolution needs it.
#pragma once

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/stream.hpp"
#include "error.hpp"
#include "geometry.hpp"

namespace xconv::cuda::cudnn {

void check(cudnnStatus_t result, const char *what);

/// A backend descriptor that frees itself. Attributes are set, then it is finalized.
class Descriptor {
  public:
    explicit Descriptor(cudnnBackendDescriptorType_t type);

    template <class T>
    Descriptor &set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                    const std::vector<T> &values)
    {
        check(cudnnBackendSetAttribute(get(), name, type, static_cast<int64_t>(values.size()),
                                       values.data()),
              "cudnnBackendSetAttribute");
        return *this;
    }
    template <class T>
    Descriptor &set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, T value)
    {
        return set(name, type, std::vector<T>{value});
    }
    Descriptor &set(cudnnBackendAttributeName_t name, const Descriptor &value)
    {
        return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value.get());
    }
    /// Throws where cuDNN refuses what the attributes say.
    Descriptor &finalize();
    /// The same as a question.
    [[nodiscard]] bool finalizes() { return cudnnBackendFinalize(get()) == CUDNN_STATUS_SUCCESS; }

    [[nodiscard]] cudnnBackendDescriptor_t get() const { return descriptor_.get(); }

  private:
    struct Destroy {
        void operator()(void *descriptor) const
        {
            static_cast<void>(cudnnBackendDestroyDescriptor(descriptor));
        }
    };
    std::unique_ptr<void, Destroy> descriptor_;
};

/// What plans are made for: the device that was current when it was made, or one
/// that is only described, for which plans can be made but not run.
class Handle {
  public:
    explicit Handle(Stream stream);
    /// `device` as cuDNN's own JSON; in recent versions.
    explicit Handle(const std::string &device);
    ~Handle();
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;
    [[nodiscard]] cudnnHandle_t get() const { return handle_; }
    /// Null where the device is there.
    [[nodiscard]] const Descriptor *described() const { return described_.get(); }

  private:
    cudnnHandle_t handle_ = nullptr;
    std::unique_ptr<Descriptor> described_;
};

/// What a convolution computes. A bias is added before the result is rounded.
enum class Direction { forward, forward_bias, backward_data, backward_filter };

/// Which of cuDNN's engines will do.
struct Wanted {
    bool allow_tf32 = false;
    /// Also those whose results vary from run to run or are not exact for small
    /// integers (FFT, Winograd, sums in less than compute_dtype()), and those that are
    /// compiled when they first run, which takes its time and cannot be captured.
    bool allow_any = false;
    int64_t workspace_limit = 0;
    /// Rather none than another engine than the best, for want of workspace.
    bool only_best = false;
};

/// One convolution, ready to run: x, w and y in the places of ConvGeometry, of
/// which the direction says which one is written.
class Convolution {
  public:
    /// Null where cuDNN has no engine for it. The result is of `result`.
    static std::unique_ptr<Convolution> make(std::shared_ptr<const Handle> handle,
                                             const ConvGeometry &g, Direction direction,
                                             Dtype result, const Wanted &wanted);

    [[nodiscard]] int64_t workspace() const { return workspace_; }
    [[nodiscard]] const std::string &describe() const { return name_; }
    /// The pointers must be aligned to kAlign; `bias` is null but for forward_bias.
    void run(const Handle &handle, const void *x, const void *w, const void *bias, const void *y,
             void *workspace) const;

    static constexpr int64_t kAlign = 16;

  private:
    Convolution(std::shared_ptr<const Handle> handle, Descriptor plan)
        : handle_(std::move(handle)), plan_(std::move(plan))
    {
    }

    std::shared_ptr<const Handle> handle_; // the plan was made with it
    Descriptor plan_;
    int64_t workspace_ = 0;
    std::string name_;
};

/// "cuDNN 9.19.0"
std::string describe_library();

} // namespace xconv::cuda::cudnn
