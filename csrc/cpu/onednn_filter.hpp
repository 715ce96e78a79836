// The filter pass on oneDNN, for any stage that computes the gradient of a chunk:
// beside what onednn_stages.hpp asks for, a stage has
//     Relayout assign_dw, add_dw; // from the kernel's layout to the caller's
//     int64_t filter_count() const;
//     void run(call, lane, x, dy, dw) const; // in the kernel's layout
#pragma once

#include <algorithm>

#include "cpu/onednn_stages.hpp"

namespace xconv::cpu::onednn {

inline void add_to(float *sum, const float *part, int64_t count)
{
    for (int64_t i = 0; i < count; ++i) {
        sum[i] += part[i];
    }
}

/// Every lane sums its chunks in the kernel's layout; then the lanes' sums are
/// added in their order, and the total changes layout once.
template <class Stage> class OnednnFilter final : public FilterPass {
  public:
    OnednnFilter(const ConvGeometry &g, Stages<Stage> stages)
        : stages_(std::move(stages)), x_sample_(g.x_sample()), y_sample_(g.y_sample())
    {
    }
    [[nodiscard]] int64_t workspace() const override { return stages_.workspace(); }
    [[nodiscard]] std::string describe() const override { return stages_.describe(); }
    void run(const Backend &, const void *x, const void *dy, bool accumulate, void *dw,
             void *workspace) const override
    {
        stages_.run([&] {
            const Space space = stages_.space(workspace);
            stages_.for_chunks(space, [&](const Call &call, const Lane &lane, const Stage &stage,
                                          int64_t sample, bool first) {
                stage.run(call, lane, floats(x, sample * x_sample_), floats(dy, sample * y_sample_),
                          first ? lane.sum : lane.part);
                if (!first) {
                    stages_.share(stage.filter_count(), [&](int64_t from, int64_t count) {
                        add_to(lane.sum + from, lane.part + from, count);
                    });
                }
            });
            add_lanes(space);
            const Stage &any = stages_.front();
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

    Stages<Stage> stages_;
    int64_t x_sample_, y_sample_;
};

} // namespace xconv::cpu::onednn
