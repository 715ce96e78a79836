#include "cpu/conv_onednn.hpp"

#include <algorithm>

#include "cpu/onednn_stages.hpp"

namespace xconv::cpu {

using namespace onednn;

namespace {

struct ForwardStage {
    static constexpr Direction direction = Direction::forward;

    Relayout x, w, b, y;
    MemoryDesc src, weights, bias, dst, scratchpad;
    dnnl::convolution_forward kernel;
    std::string name;

    static std::optional<ForwardStage> make(const dnnl::engine &engine, const ConvGeometry &g,
                                            const ConvLayouts &layouts, DataType /*factors*/)
    {
        const ConvShape shape = conv_shape(g);
        const auto desc = forward_desc(engine, shape, layouts, user_scratchpad());
        if (!usable(desc)) {
            return std::nullopt;
        }
        ForwardStage s;
        s.src = desc.src_desc();
        s.weights = desc.weights_desc();
        s.bias = desc.bias_desc();
        s.dst = desc.dst_desc();
        s.scratchpad = desc.scratchpad_desc();
        const DataType type = data_type(g.dtype);
        s.x = Relayout(engine, rows_of(shape.src, g.x_channel, type), s.src);
        s.w = Relayout(engine, plain(shape.weights, type), s.weights);
        s.b = Relayout(engine, {shape.bias, type, dnnl::memory::format_tag::a}, s.bias);
        s.y = Relayout(engine, s.dst, rows_of(shape.dst, g.y_channel, type));
        s.kernel = dnnl::convolution_forward(desc);
        s.name = desc.impl_info_str();
        return s;
    }

    [[nodiscard]] Sizes sizes(bool) const
    {
        Sizes sizes;
        sizes.shared = round_up(w.bytes_to(), kAlignment) + Relayout::size(bias);
        sizes.x = x.bytes_to();
        sizes.y = y.bytes_from();
        sizes.scratch = std::max(
            {Relayout::size(scratchpad), x.scratch(), w.scratch(), b.scratch(), y.scratch()});
        return sizes;
    }

    void run(const Call &call, const Lane &lane, const void *x_in, const void *filter,
             const void *offset, void *y_out) const
    {
        const void *x_here = x(call, x_in, lane.x);
        void *y_here = y.bytes_from() == 0 ? y_out : lane.y;
        kernel.execute(call.stream, {{DNNL_ARG_SRC, call.memory(src, x_here)},
                                     {DNNL_ARG_WEIGHTS, call.memory(weights, filter)},
                                     {DNNL_ARG_BIAS, call.memory(bias, offset)},
                                     {DNNL_ARG_DST, call.memory(dst, y_here)},
                                     {DNNL_ARG_SCRATCHPAD, call.memory(scratchpad, lane.scratch)}});
        y(call, y_here, y_out);
    }
};

class OnednnForward final : public ForwardPass {
  public:
    OnednnForward(const ConvGeometry &g, Stages<ForwardStage> stages)
        : stages_(std::move(stages)), sample_(g)
    {
    }
    [[nodiscard]] int64_t workspace() const override { return stages_.workspace(); }
    [[nodiscard]] std::string describe() const override { return stages_.describe(); }
    void run(const Backend &, const void *x, const void *w, const void *bias, void *y,
             void *workspace) const override
    {
        stages_.run([&] {
            const Space space = stages_.space(workspace);
            const ForwardStage &any = stages_.front();
            Arena shared(space.shared());
            const Call first = stages_.call(space.lane(0));
            const void *filter = any.w(first, w, shared.take(any.w.bytes_to()));
            const int64_t bias_bytes = Relayout::size(any.bias);
            auto *bias_space = shared.take<std::byte>(bias_bytes);
            if (bias == nullptr) { // the kernel always adds one
                std::fill_n(bias_space, bias_bytes, std::byte{0});
            }
            const void *offset = bias == nullptr ? bias_space : any.b(first, bias, bias_space);
            stages_.for_chunks(space, [&](const Call &call, const Lane &lane,
                                          const ForwardStage &stage, int64_t sample, bool) {
                stage.run(call, lane, at_byte(x, sample * sample_.x), filter, offset,
                          at_byte(y, sample * sample_.y));
            });
        });
    }

  private:
    Stages<ForwardStage> stages_;
    SampleBytes sample_;
};

} // namespace

std::unique_ptr<ForwardPass> make_onednn_forward(const ConvGeometry &g, int64_t workspace_limit,
                                                 int threads)
{
    return make_pass<OnednnForward, ForwardStage>(g, workspace_limit, threads);
}

} // namespace xconv::cpu
