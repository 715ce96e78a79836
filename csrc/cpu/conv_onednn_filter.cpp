#include "cpu/conv_onednn.hpp"

#include <algorithm>

#include "cpu/onednn_faults.hpp"
#include "cpu/onednn_stages.hpp"

namespace xconv::cpu {

using namespace onednn;

namespace {

void add_to(float *sum, const float *part, int64_t count)
{
    for (int64_t i = 0; i < count; ++i) {
        sum[i] += part[i];
    }
}

struct FilterStage {
    static constexpr Direction direction = Direction::backward_filter;

    Relayout x, dy, assign_dw, add_dw;
    MemoryDesc src, weights, diff_dst, scratchpad;
    dnnl::convolution_backward_weights kernel;
    std::string name;

    static std::optional<FilterStage> make(const dnnl::engine &engine, const ConvGeometry &g,
                                           const ConvLayouts &layouts, DataType factors)
    {
        const ConvShape shape = conv_shape(g);
        const auto hint =
            forward_desc(engine, shape, hint_layouts(g, layouts, factors), user_scratchpad());
        if (!hint) {
            return std::nullopt;
        }
        const auto desc = filter_desc(engine, shape, layouts, user_scratchpad(), hint);
        if (!usable(desc)) {
            return std::nullopt;
        }
        FilterStage s;
        s.src = desc.src_desc();
        if (!sound_channels_last(g) && s.src == channels_last(shape.src, factors)) {
            return std::nullopt;
        }
        s.weights = desc.diff_weights_desc();
        s.diff_dst = desc.diff_dst_desc();
        s.scratchpad = desc.scratchpad_desc();
        const DataType type = data_type(g.dtype);
        const MemoryDesc sum = plain(shape.weights, DataType::f32);
        s.x = Relayout(engine, rows_of(shape.src, g.x_channel, type), s.src);
        s.dy = Relayout(engine, rows_of(shape.dst, g.y_channel, type), s.diff_dst);
        s.assign_dw = Relayout(engine, s.weights, sum, Relayout::Mode::copy);
        s.add_dw = Relayout(engine, s.weights, sum, Relayout::Mode::add);
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

    void run(const Call &call, const Lane &lane, const void *x_in, const void *dy_in,
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

/// Every lane sums its chunks in the kernel's layout; then the lanes' sums are
/// added in their order, and the total changes layout once.
class OnednnFilter final : public FilterPass {
  public:
    OnednnFilter(const ConvGeometry &g, Stages<FilterStage> stages)
        : stages_(std::move(stages)), sample_(g)
    {
    }
    [[nodiscard]] int64_t workspace() const override { return stages_.workspace(); }
    [[nodiscard]] std::string describe() const override { return stages_.describe(); }
    void run(const Backend &, const void *x, const void *dy, bool accumulate, void *dw,
             void *workspace) const override
    {
        stages_.run([&] {
            const Space space = stages_.space(workspace);
            stages_.for_chunks(space, [&](const Call &call, const Lane &lane,
                                          const FilterStage &stage, int64_t sample, bool first) {
                stage.run(call, lane, at_byte(x, sample * sample_.x),
                          at_byte(dy, sample * sample_.y), first ? lane.sum : lane.part);
                if (!first) {
                    stages_.share(stage.filter_count(), [&](int64_t from, int64_t count) {
                        add_to(lane.sum + from, lane.part + from, count);
                    });
                }
            });
            add_lanes(space);
            const FilterStage &any = stages_.front();
            const Lane lane = space.lane(0);
            const Relayout &finish = accumulate ? any.add_dw : any.assign_dw;
            finish(stages_.call(lane), lane.sum, dw);
        });
    }

  private:
    void add_lanes(const Space &space) const
    {
        constexpr int64_t block = 4096;
        const int64_t count = stages_.front().filter_count();
        const auto lanes = static_cast<int>(stages_.lanes());
        parallel_for(lanes, lanes == 1 ? 0 : ceil_div(count, block), [&](int64_t i) {
            const int64_t from = i * block;
            for (int64_t lane = 1; lane < lanes; ++lane) {
                add_to(space.lane(0).sum + from, space.lane(lane).sum + from,
                       std::min(block, count - from));
            }
        });
    }

    Stages<FilterStage> stages_;
    SampleBytes sample_;
};

} // namespace

std::unique_ptr<FilterPass> make_onednn_backward_filter(const ConvGeometry &g,
                                                        int64_t workspace_limit, int threads)
{
    return make_pass<OnednnFilter, FilterStage>(g, workspace_limit, threads);
}

} // namespace xconv::cpu
