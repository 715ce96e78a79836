#include "cuda/conv_cudnn.hpp"

#include <algorithm>
#include <optional>

#include "cuda/conv_im2col.hpp"
#include "cuda/cuda_device.hpp"
#include "workspace.hpp"

namespace xconv::cuda {

namespace {

using cudnn::Convolution;
using cudnn::Direction;
using cudnn::Wanted;
using Handle = std::shared_ptr<const cudnn::Handle>;

/// Plans are made for pointers that are aligned as device allocations are. Callers
/// may pass others, views into them: those go another way.
template <class... Pointers> bool lie_aligned(Pointers... pointers)
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

/// A convolution of equal parts of the batch. Many engines change the layout of
/// all they are given, in workspace: parts keep that small.
class Parts {
  public:
    /// As few parts as let the best engine stay within the workspace; else another
    /// engine on the whole. Empty where cuDNN has none.
    static std::optional<Parts> make(const Handle &handle, const ConvGeometry &g,
                                     Direction direction, Dtype result, Wanted wanted)
    {
        wanted.only_best = true;
        constexpr int64_t most = 64;
        for (int64_t parts = 1; parts <= most && g.batch % parts == 0; parts *= 2) {
            auto made =
                Convolution::make(handle, g.with_batch(g.batch / parts), direction, result, wanted);
            if (made) {
                return Parts(std::move(made), g, parts);
            }
        }
        wanted.only_best = false;
        auto made = Convolution::make(handle, g, direction, result, wanted);
        return made ? std::optional(Parts(std::move(made), g, 1)) : std::nullopt;
    }

    [[nodiscard]] int64_t count() const { return count_; }
    [[nodiscard]] int64_t workspace() const { return convolution_->workspace(); }
    [[nodiscard]] std::string describe() const
    {
        return count_ == 1 ? convolution_->describe()
                           : fmt::format("{}, {} parts", convolution_->describe(), count_);
    }

    /// Part `part` of whole tensors x and y.
    void run(const Backend &on, int64_t part, const void *x, const void *w, const void *bias,
             const void *y, void *workspace) const
    {
        const auto at = [part](const void *tensor, int64_t bytes) {
            return at_byte(tensor, part * bytes);
        };
        convolution_->run(static_cast<const CudaDevice &>(on).cudnn(), at(x, x_bytes_), w, bias,
                          at(y, y_bytes_), workspace);
    }
    /// Whether all parts of tensors begin where plans take them to.
    [[nodiscard]] bool fit(const void *x, const void *w, const void *y) const
    {
        const auto aligned = [](int64_t bytes) { return bytes % Convolution::kAlign == 0; };
        return lie_aligned(x, w, y) && (count_ == 1 || (aligned(x_bytes_) && aligned(y_bytes_)));
    }

  private:
    Parts(std::unique_ptr<Convolution> convolution, const ConvGeometry &g, int64_t count)
        : convolution_(std::move(convolution)), count_(count),
          x_bytes_(g.batch / count * g.x_sample() * element_bytes(g.dtype)),
          y_bytes_(g.batch / count * g.y_sample() * element_bytes(g.dtype))
    {
    }

    std::unique_ptr<Convolution> convolution_;
    int64_t count_;
    int64_t x_bytes_;
    int64_t y_bytes_;
};

/// A bias is another plan, which cuDNN may not have: then im2col does it.
class CudnnForward final : public ForwardPass {
  public:
    CudnnForward(Parts plain, std::optional<Parts> biased, const ConvGeometry &g,
                 const Wanted &wanted)
        : plain_(std::move(plain)), biased_(std::move(biased)),
          fallback_(make_im2col_forward(g, fallback_limit(wanted, plain_.workspace())))
    {
    }
    [[nodiscard]] int64_t workspace() const override
    {
        return std::max(
            {plain_.workspace(), biased_ ? biased_->workspace() : 0, fallback_->workspace()});
    }
    [[nodiscard]] std::string describe() const override { return plain_.describe(); }

    void run(const Backend &on, const void *x, const void *w, const void *bias, void *y,
             void *workspace) const override
    {
        const Parts *parts = bias == nullptr ? &plain_ : biased_ ? &*biased_ : nullptr;
        if (parts == nullptr || !parts->fit(x, w, y) || !lie_aligned(bias)) {
            fallback_->run(on, x, w, bias, y, workspace);
            return;
        }
        for (int64_t part = 0; part < parts->count(); ++part) {
            parts->run(on, part, x, w, bias, y, workspace);
        }
    }

  private:
    Parts plain_;
    std::optional<Parts> biased_;
    std::unique_ptr<ForwardPass> fallback_;
};

class CudnnData final : public DataPass {
  public:
    CudnnData(Parts parts, const ConvGeometry &g, const Wanted &wanted)
        : parts_(std::move(parts)),
          fallback_(make_im2col_backward_data(g, fallback_limit(wanted, parts_.workspace())))
    {
    }
    [[nodiscard]] int64_t workspace() const override
    {
        return std::max(parts_.workspace(), fallback_->workspace());
    }
    [[nodiscard]] std::string describe() const override { return parts_.describe(); }

    void run(const Backend &on, const void *w, const void *dy, void *dx,
             void *workspace) const override
    {
        if (!parts_.fit(dx, w, dy)) {
            fallback_->run(on, w, dy, dx, workspace);
            return;
        }
        for (int64_t part = 0; part < parts_.count(); ++part) {
            parts_.run(on, part, dx, w, nullptr, dy, workspace);
        }
    }

  private:
    Parts parts_;
    std::unique_ptr<DataPass> fallback_;
};

class CudnnFilter final : public FilterPass {
  public:
    /// Of one part's gradient, beside what cuDNN takes.
    static int64_t term_bytes(const ConvGeometry &g)
    {
        return round_up(g.w_count() * element_bytes(compute_dtype(g.dtype)), kAlignment);
    }

    CudnnFilter(Parts parts, const ConvGeometry &g, const Wanted &wanted)
        : g_(g), parts_(std::move(parts)),
          fallback_(make_im2col_backward_filter(g, fallback_limit(wanted, parts_.workspace())))
    {
    }
    [[nodiscard]] int64_t workspace() const override
    {
        return std::max(term_bytes(g_) + parts_.workspace() + kAlignment, fallback_->workspace());
    }
    [[nodiscard]] std::string describe() const override { return parts_.describe(); }

    void run(const Backend &on, const void *x, const void *dy, bool accumulate, void *sum,
             void *workspace) const override
    {
        Arena arena(workspace);
        void *term = arena.take(term_bytes(g_));
        void *scratch = arena.take(parts_.workspace());
        if (!parts_.fit(x, accumulate ? term : sum, dy)) {
            fallback_->run(on, x, dy, accumulate, sum, workspace);
            return;
        }
        // A plan either adds or writes: this one writes, and adding is a pass over dw.
        for (int64_t part = 0; part < parts_.count(); ++part) {
            const bool add = accumulate || part > 0;
            parts_.run(on, part, x, add ? term : sum, nullptr, dy, scratch);
            if (add) {
                on.transpose(compute_dtype(g_.dtype), term, 1, 1, 1, g_.w_count(), true, sum);
            }
        }
    }

  private:
    ConvGeometry g_;
    Parts parts_;
    std::unique_ptr<FilterPass> fallback_;
};

template <class PassType, class Cudnn>
std::unique_ptr<PassType> make_pass(const Handle &handle, const ConvGeometry &g,
                                    Direction direction, Dtype result, const Wanted &wanted)
{
    auto parts = Parts::make(handle, g, direction, result, wanted);
    return parts ? std::make_unique<Cudnn>(std::move(*parts), g, wanted) : nullptr;
}

} // namespace

std::unique_ptr<ForwardPass> make_cudnn_forward(const Handle &handle, const ConvGeometry &g,
                                                const Wanted &wanted)
{
    auto plain = Parts::make(handle, g, Direction::forward, g.dtype, wanted);
    return plain ? std::make_unique<CudnnForward>(
                       std::move(*plain),
                       Parts::make(handle, g, Direction::forward_bias, g.dtype, wanted), g, wanted)
                 : nullptr;
}

std::unique_ptr<DataPass> make_cudnn_backward_data(const Handle &handle, const ConvGeometry &g,
                                                   const Wanted &wanted)
{
    return make_pass<DataPass, CudnnData>(handle, g, Direction::backward_data, g.dtype, wanted);
}

std::unique_ptr<FilterPass> make_cudnn_backward_filter(const Handle &handle, const ConvGeometry &g,
                                                       const Wanted &wanted)
{
    Wanted rest = wanted;
    rest.workspace_limit =
        std::max<int64_t>(wanted.workspace_limit - CudnnFilter::term_bytes(g) - kAlignment, 0);
    return make_pass<FilterPass, CudnnFilter>(handle, g, Direction::backward_filter,
                                              compute_dtype(g.dtype), rest);
}

} // namespace xconv::cuda
