#include "cuda/conv_cudnn.hpp"

#include <algorithm>

#include "cuda/conv_im2col.hpp"
#include "cuda/cuda_device.hpp"
#include "cuda/ops_bias.hpp"
#include "workspace.hpp"

namespace xconv::cuda {

namespace {

using cudnn::Convolution;
using cudnn::Direction;
using cudnn::Wanted;
using Handle = std::shared_ptr<const cudnn::Handle>;

/// Plans are made for pointers that are aligned as device allocations are. Callers
/// may pass others, views into them: those go another way.
template <class... Pointers> bool aligned(Pointers... pointers)
{
    return ((reinterpret_cast<uintptr_t>(pointers) % static_cast<uintptr_t>(Convolution::kAlign) ==
             0) &&
            ...);
}

/// A workspace for that other way which does not outgrow cuDNN's by much.
int64_t fallback_limit(const Wanted &wanted, int64_t used)
{
    constexpr int64_t least = int64_t{1} << 22;
    return std::min(wanted.workspace_limit, std::max(least, used));
}

const CudaDevice &device(const Backend &on) { return static_cast<const CudaDevice &>(on); }

class CudnnForward final : public ForwardPass {
  public:
    CudnnForward(std::unique_ptr<Convolution> convolution, const ConvGeometry &g,
                 const Wanted &wanted)
        : g_(g), convolution_(std::move(convolution)),
          fallback_(make_im2col_forward(g, fallback_limit(wanted, convolution_->workspace())))
    {
    }
    [[nodiscard]] int64_t workspace() const override
    {
        return std::max(convolution_->workspace(), fallback_->workspace());
    }
    [[nodiscard]] std::string describe() const override { return convolution_->describe(); }

    void run(const Backend &on, const void *x, const void *w, const void *bias, void *y,
             void *workspace) const override
    {
        if (!aligned(x, w, y)) {
            fallback_->run(on, x, w, bias, y, workspace);
            return;
        }
        convolution_->run(device(on).cudnn(), x, w, y, workspace);
        if (bias != nullptr) {
            add_bias(device(on).stream(), g_, bias, y);
        }
    }

  private:
    ConvGeometry g_;
    std::unique_ptr<Convolution> convolution_;
    std::unique_ptr<ForwardPass> fallback_;
};

class CudnnData final : public DataPass {
  public:
    CudnnData(std::unique_ptr<Convolution> convolution, const ConvGeometry &g, const Wanted &wanted)
        : convolution_(std::move(convolution)),
          fallback_(make_im2col_backward_data(g, fallback_limit(wanted, convolution_->workspace())))
    {
    }
    [[nodiscard]] int64_t workspace() const override
    {
        return std::max(convolution_->workspace(), fallback_->workspace());
    }
    [[nodiscard]] std::string describe() const override { return convolution_->describe(); }

    void run(const Backend &on, const void *w, const void *dy, void *dx,
             void *workspace) const override
    {
        if (!aligned(w, dy, dx)) {
            fallback_->run(on, w, dy, dx, workspace);
            return;
        }
        convolution_->run(device(on).cudnn(), dx, w, dy, workspace);
    }

  private:
    std::unique_ptr<Convolution> convolution_;
    std::unique_ptr<DataPass> fallback_;
};

class CudnnFilter final : public FilterPass {
  public:
    CudnnFilter(std::unique_ptr<Convolution> convolution, const ConvGeometry &g,
                const Wanted &wanted)
        : g_(g), convolution_(std::move(convolution)),
          fallback_(
              make_im2col_backward_filter(g, fallback_limit(wanted, convolution_->workspace())))
    {
    }
    [[nodiscard]] int64_t workspace() const override
    {
        return std::max(term_bytes() + convolution_->workspace() + kAlignment,
                        fallback_->workspace());
    }
    [[nodiscard]] std::string describe() const override { return convolution_->describe(); }

    void run(const Backend &on, const void *x, const void *dy, bool accumulate, void *sum,
             void *workspace) const override
    {
        if (!aligned(x, dy) || (!accumulate && !aligned(sum))) {
            fallback_->run(on, x, dy, accumulate, sum, workspace);
            return;
        }
        // A plan either adds or writes: this one writes, and adding is a pass over dw.
        Arena arena(workspace);
        void *term = arena.take(term_bytes());
        convolution_->run(device(on).cudnn(), x, accumulate ? term : sum, dy,
                          arena.take(convolution_->workspace()));
        if (accumulate) {
            on.transpose(compute_dtype(g_.dtype), term, 1, 1, 1, g_.w_count(), true, sum);
        }
    }

  private:
    [[nodiscard]] int64_t term_bytes() const
    {
        return round_up(g_.w_count() * element_bytes(compute_dtype(g_.dtype)), kAlignment);
    }

    ConvGeometry g_;
    std::unique_ptr<Convolution> convolution_;
    std::unique_ptr<FilterPass> fallback_;
};

template <class PassType, class Cudnn>
std::unique_ptr<PassType> make_pass(const Handle &handle, const ConvGeometry &g,
                                    Direction direction, Dtype result, const Wanted &wanted)
{
    auto convolution = Convolution::make(handle, g, direction, result, wanted);
    if (!convolution) {
        return nullptr;
    }
    return std::make_unique<Cudnn>(std::move(convolution), g, wanted);
}

} // namespace

std::unique_ptr<ForwardPass> make_cudnn_forward(const Handle &handle, const ConvGeometry &g,
                                                const Wanted &wanted)
{
    return make_pass<ForwardPass, CudnnForward>(handle, g, Direction::forward, g.dtype, wanted);
}

std::unique_ptr<DataPass> make_cudnn_backward_data(const Handle &handle, const ConvGeometry &g,
                                                   const Wanted &wanted)
{
    return make_pass<DataPass, CudnnData>(handle, g, Direction::backward_data, g.dtype, wanted);
}

std::unique_ptr<FilterPass> make_cudnn_backward_filter(const Handle &handle, const ConvGeometry &g,
                                                       const Wanted &wanted)
{
    return make_pass<FilterPass, CudnnFilter>(handle, g, Direction::backward_filter,
                                              compute_dtype(g.dtype), wanted);
}

} // namespace xconv::cuda
