#include "cpu/conv_onednn.hpp"

#include <algorithm>

#include "cpu/onednn_stages.hpp"

namespace xconv::cpu {

using namespace onednn;

namespace {

struct DataStage {
    static constexpr Direction direction = Direction::backward_data;

    Relayout dx, w, dy;
    MemoryDesc diff_src, weights, diff_dst, scratchpad;
    dnnl::convolution_backward_data kernel;
    std::string name;

    static std::optional<DataStage> make(const dnnl::engine &engine, const ConvGeometry &g,
                                         const ConvLayouts &layouts, DataType factors)
    {
        const ConvShape shape = conv_shape(g);
        const auto hint =
            forward_desc(engine, shape, hint_layouts(g, layouts, factors), user_scratchpad());
        if (!hint) {
            return std::nullopt;
        }
        const auto desc = data_desc(engine, shape, layouts, user_scratchpad(), hint);
        if (!usable(desc)) {
            return std::nullopt;
        }
        DataStage s;
        s.diff_src = desc.diff_src_desc();
        s.weights = desc.weights_desc();
        s.diff_dst = desc.diff_dst_desc();
        s.scratchpad = desc.scratchpad_desc();
        const DataType type = data_type(g.dtype);
        s.dx = Relayout(engine, s.diff_src, rows_of(shape.src, g.x_channel, type));
        s.w = Relayout(engine, plain(shape.weights, type), s.weights);
        s.dy = Relayout(engine, rows_of(shape.dst, g.y_channel, type), s.diff_dst);
        s.kernel = dnnl::convolution_backward_data(desc);
        s.name = desc.impl_info_str();
        return s;
    }

    [[nodiscard]] Sizes sizes(bool) const
    {
        Sizes sizes;
        sizes.shared = w.bytes_to();
        sizes.x = dx.bytes_from();
        sizes.y = dy.bytes_to();
        sizes.scratch =
            std::max({Relayout::size(scratchpad), dx.scratch(), w.scratch(), dy.scratch()});
        return sizes;
    }

    void run(const Call &call, const Lane &lane, const void *filter, const void *dy_in,
             void *dx_out) const
    {
        const void *dy_here = dy(call, dy_in, lane.y);
        void *dx_here = dx.bytes_from() == 0 ? dx_out : lane.x;
        kernel.execute(call.stream, {{DNNL_ARG_DIFF_SRC, call.memory(diff_src, dx_here)},
                                     {DNNL_ARG_WEIGHTS, call.memory(weights, filter)},
                                     {DNNL_ARG_DIFF_DST, call.memory(diff_dst, dy_here)},
                                     {DNNL_ARG_SCRATCHPAD, call.memory(scratchpad, lane.scratch)}});
        dx(call, dx_here, dx_out);
    }
};

class OnednnData final : public DataPass {
  public:
    OnednnData(const ConvGeometry &g, Stages<DataStage> stages)
        : stages_(std::move(stages)), sample_(g)
    {
    }
    [[nodiscard]] int64_t workspace() const override { return stages_.workspace(); }
    [[nodiscard]] std::string describe() const override { return stages_.describe(); }
    void run(const Backend &, const void *w, const void *dy, void *dx,
             void *workspace) const override
    {
        stages_.run([&] {
            const Space space = stages_.space(workspace);
            const void *filter = stages_.front().w(stages_.call(space.lane(0)), w, space.shared());
            stages_.for_chunks(space, [&](const Call &call, const Lane &lane,
                                          const DataStage &stage, int64_t sample, bool) {
                stage.run(call, lane, filter, at_byte(dy, sample * sample_.y),
                          at_byte(dx, sample * sample_.x));
            });
        });
    }

  private:
    Stages<DataStage> stages_;
    SampleBytes sample_;
};

} // namespace

std::unique_ptr<DataPass> make_onednn_backward_data(const ConvGeometry &g, int64_t workspace_limit,
                                                    int threads)
{
    return make_pass<OnednnData, DataStage>(g, workspace_limit, threads);
}

} // namespace xconv::cpu
