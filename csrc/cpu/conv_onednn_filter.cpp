#include "cpu/conv_onednn.hpp"

#include <algorithm>

#include "cpu/onednn_filter.hpp"

namespace xconv::cpu {

using namespace onednn;

namespace {

struct FilterStage {
    static constexpr Direction direction = Direction::backward_filter;

    Relayout x, dy, assign_dw, add_dw;
    MemoryDesc src, weights, diff_dst, scratchpad;
    dnnl::convolution_backward_weights kernel;
    std::string name;

    static std::optional<FilterStage> make(const dnnl::engine &engine, const ConvGeometry &g,
                                           const ConvLayouts &layouts)
    {
        const ConvShape shape = conv_shape(g);
        const auto hint = forward_desc(engine, shape, layouts, user_scratchpad());
        if (!hint) {
            return std::nullopt;
        }
        const auto desc = filter_desc(engine, shape, layouts, user_scratchpad(), hint);
        if (!usable(desc)) {
            return std::nullopt;
        }
        FilterStage s;
        s.src = desc.src_desc();
        s.weights = desc.diff_weights_desc();
        s.diff_dst = desc.diff_dst_desc();
        s.scratchpad = desc.scratchpad_desc();
        s.x = Relayout(engine, rows_of(shape.src, g.x_channel), s.src);
        s.dy = Relayout(engine, rows_of(shape.dst, g.y_channel), s.diff_dst);
        s.assign_dw = Relayout(engine, s.weights, plain(shape.weights), Relayout::Mode::copy);
        s.add_dw = Relayout(engine, s.weights, plain(shape.weights), Relayout::Mode::add);
        s.kernel = dnnl::convolution_backward_weights(desc);
        s.name = desc.impl_info_str();
        return s;
    }

    [[nodiscard]] Sizes sizes(bool several) const
    {
        Sizes sizes;
        sizes.x = x.bytes_to();
        sizes.y = dy.bytes_to();
        sizes.sum = Relayout::size(weights);
        sizes.part = several ? sizes.sum : 0;
        sizes.scratch = std::max({Relayout::size(scratchpad), x.scratch(), dy.scratch(),
                                  assign_dw.scratch(), add_dw.scratch()});
        return sizes;
    }

    [[nodiscard]] int64_t filter_count() const
    {
        return Relayout::size(weights) / element_bytes(Dtype::f32);
    }

    void run(const Call &call, const Lane &lane, const float *x_in, const float *dy_in,
             float *dw) const
    {
        const void *x_here = x(call, x_in, lane.x);
        const void *dy_here = dy(call, dy_in, lane.y);
        kernel.execute(call.stream, {{DNNL_ARG_SRC, call.memory(src, x_here)},
                                     {DNNL_ARG_DIFF_WEIGHTS, call.memory(weights, dw)},
                                     {DNNL_ARG_DIFF_DST, call.memory(diff_dst, dy_here)},
                                     {DNNL_ARG_SCRATCHPAD, call.memory(scratchpad, lane.scratch)}});
    }
};

} // namespace

std::unique_ptr<FilterPass> make_onednn_backward_filter(const ConvGeometry &g,
                                                        int64_t workspace_limit, int threads)
{
    return make_pass<OnednnFilter<FilterStage>, FilterStage>(g, workspace_limit, threads);
}

} // namespace xconv::cpu
