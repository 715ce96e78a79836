// The three oneDNN passes work alike: lanes of threads take the batch through
// one kernel, chunk by chunk, with a change of layout on the way in and out.
//
// A Stage is that kernel for one number of samples:
//     static constexpr Direction direction;
//     static std::optional<Stage> make(engine, geometry of a chunk, layouts, type of
//                          the factors); // nothing where oneDNN has no fast kernel
//     MemoryDesc weights;  // the kernel's layout of the filter
//     std::string name;    // of the kernel
//     Sizes sizes(bool several) const; // several: chunks in a lane
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend.hpp"
#include "cpu/onednn_pieces.hpp"
#include "cpu/outside_parallel.hpp"
#include "cpu/parallel.hpp"

namespace xconv::cpu::onednn {

/// The reference kernels do everything, and slower than any other way.
template <class Desc> bool usable(const Desc &desc)
{
    return static_cast<bool>(desc) && !std::string_view(desc.impl_info_str()).starts_with("ref");
}

/// Bytes from one sample of x and of y to the next.
struct SampleBytes {
    int64_t x, y;
    explicit SampleBytes(const ConvGeometry &g)
        : x(g.x_sample() * element_bytes(g.dtype)), y(g.y_sample() * element_bytes(g.dtype))
    {
    }
};

template <class Stage> class Stages {
  public:
    /// Nothing where oneDNN has no fast kernel.
    static std::optional<Stages> make(const ConvGeometry &g, int64_t limit, int threads)
    {
        if (!representable(g)) {
            return std::nullopt;
        }
        std::optional<Stages> stages;
        const std::vector<Teams> all = teams_for(g, threads);
        for (const Teams teams : all) {
            // Kernels are made for the team size in force.
            with_team(teams.size, [&] { stages = fit(g, limit, teams); });
            if (!stages || stages->workspace() <= limit) {
                return stages;
            }
        }
        // The filter alone takes more. Not single samples, then, each of which passes
        // over the whole filter, but as many as add little to it.
        const int64_t least = stages->workspace();
        with_team(all.back().size, [&] { stages = fit(g, least + least / 4, all.back()); });
        return stages;
    }

    [[nodiscard]] const Stage &front() const { return stages_.front(); }
    [[nodiscard]] int64_t lanes() const { return teams_.lanes; }
    [[nodiscard]] Space space(void *workspace) const
    {
        const bool several = chunks_.count > teams_.lanes;
        Sizes sizes = stages_.front().sizes(several);
        for (const Stage &stage : stages_) {
            sizes = larger_of(sizes, stage.sizes(several));
        }
        return {sizes, teams_.lanes, workspace};
    }
    [[nodiscard]] int64_t workspace() const { return space(nullptr).bytes(); }
    [[nodiscard]] std::string describe() const
    {
        return fmt::format("oneDNN {}, {} x {} thread(s), {} sample(s) at a time",
                           stages_.front().name, teams_.lanes, teams_.size, chunks_.samples);
    }

    /// body() where for_lanes() can be called.
    template <class Body> void run(const Body &body) const
    {
        with_team(teams_.size, [&] { guarded(body); });
    }
    /// A call with the scratch memory of a lane.
    [[nodiscard]] Call call(const Lane &lane) const
    {
        return {engine_, dnnl::stream(engine_), lane.scratch};
    }
    /// body(from, count) for shares of a range, on the threads of one lane.
    template <class Body> void share(int64_t count, const Body &body) const
    {
        constexpr int64_t block = 16 * 1024;
        parallel_for(teams_.size, ceil_div(count, block),
                     [&](int64_t i) { body(i * block, std::min(block, count - i * block)); });
    }
    /// body(call, lane, stage, first sample, whether it is the lane's first) for
    /// all chunks; those of a lane come one after the other in a fixed order.
    template <class Body> void for_chunks(const Space &space, const Body &body) const
    {
        parallel_for(teams_.lanes, teams_.lanes, [&](int64_t index) {
            const Lane lane = space.lane(index);
            const Call here = call(lane);
            for (int64_t chunk = index; chunk < chunks_.count; chunk += teams_.lanes) {
                const Stage &stage = chunk < chunks_.larger ? stages_.front() : stages_.back();
                body(here, lane, stage, chunks_.first_sample(chunk), chunk == index);
            }
        });
    }

  private:
    Stages(const ConvGeometry &g, const Chunks &chunks, Teams teams)
        : chunks_(chunks), teams_(teams)
    {
        if (chunks.larger > 0) {
            add(g.with_batch(chunks.samples + 1));
        }
        if (complete_) {
            add(g.with_batch(chunks.samples));
        }
    }
    void add(const ConvGeometry &chunk)
    {
        complete_ = false;
        for (const DataType factors : factor_types(chunk, Stage::direction)) {
            for (const Layout layout :
                 {preferred_layout(chunk, Stage::direction, factors), Layout::blocked}) {
                ConvLayouts layouts = conv_layouts(chunk, layout, Stage::direction, factors);
                if (!stages_.empty()) { // the stages share one filter
                    layouts.weights = stages_.front().weights;
                }
                if (auto stage = Stage::make(engine_, chunk, layouts, factors)) {
                    stages_.push_back(std::move(*stage));
                    complete_ = true;
                    return;
                }
            }
        }
    }
    /// Halve the samples until the workspace is within the limit.
    static std::optional<Stages> fit(const ConvGeometry &g, int64_t limit, Teams teams)
    {
        int64_t samples = samples_at_a_time(g, Stage::direction, limit, teams);
        for (;; samples = ceil_div(samples, 2)) {
            Stages stages(g, cut_batch(g.batch, samples, teams.lanes), teams);
            if (!stages.complete_) {
                return std::nullopt;
            }
            if (samples == 1 || stages.workspace() <= limit) {
                return stages;
            }
        }
    }

    dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
    Chunks chunks_;
    Teams teams_;
    std::vector<Stage> stages_; // for the larger chunks, if any, and for the others
    bool complete_ = true;
};

/// Implementation(geometry, stages), or null.
template <class Implementation, class Stage>
std::unique_ptr<Implementation> make_pass(const ConvGeometry &g, int64_t limit, int threads)
{
    try {
        auto stages = Stages<Stage>::make(g, limit, threads);
        return stages ? std::make_unique<Implementation>(g, std::move(*stages)) : nullptr;
    }
    catch (const dnnl::error &error) {
        if (error.status == dnnl_out_of_memory) {
            guarded([&] { throw; });
        }
        return nullptr; // what oneDNN calls invalid or unimplemented, others may do
    }
}

} // namespace xconv::cpu::onednn
