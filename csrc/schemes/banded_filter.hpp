// An exact filter pass over all bands of a convolution, in chunks of samples.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "bands.hpp"
#include "schemes/chunked_filter.hpp"

namespace xconv {

template <class PassType> class BandedFilter {
  public:
    /// A band of `samples` samples, at most `chunk` at a time, by passes that
    /// `make(geometry)` gives; false if it gave none. All bands but the first and the
    /// last are alike, and share theirs: samples, chunk and make are those of all.
    template <class Make> bool add(const Band &band, int64_t samples, int64_t chunk, Make &&make)
    {
        const ConvGeometry &g = band.geometry;
        const std::array shape{g.in, g.out, g.pad_begin, g.pad_end};
        auto found = filters_.find(shape);
        if (found == filters_.end()) {
            ChunkedFilter<PassType> filter(g, samples, chunk, make);
            if (!filter.complete()) {
                return false;
            }
            workspace_ = std::max(workspace_, filter.workspace());
            found = filters_.emplace(shape, std::move(filter)).first;
        }
        steps_.push_back({band, &found->second});
        return true;
    }

    [[nodiscard]] bool empty() const { return steps_.empty(); }
    [[nodiscard]] int64_t workspace() const { return workspace_; }
    /// "4 bands, 8 samples at a time, ..."; `things` are what the samples are.
    [[nodiscard]] std::string describe(const char *things) const
    {
        const ChunkedFilter<PassType> &filter = *steps_.front().filter;
        return fmt::format("{}{} {} at a time, {}",
                           steps_.size() > 1 ? fmt::format("{} bands, ", steps_.size()) : "",
                           filter.chunk(), things, filter.describe());
    }

    /// sum = the gradient. `inputs(band, first, count)` makes a band of samples
    /// [first, first + count) ready and returns the pass's (x, dy).
    template <class Inputs>
    void run(const Backend &on, Inputs &&inputs, void *sum, void *workspace) const
    {
        bool accumulate = false;
        for (const Step &step : steps_) {
            step.filter->run(
                on, accumulate,
                [&](int64_t first, int64_t count) { return inputs(step.band, first, count); }, sum,
                workspace);
            accumulate = true;
        }
    }

  private:
    struct Step {
        Band band;
        const ChunkedFilter<PassType> *filter;
    };
    std::map<std::array<Axes, 4>, ChunkedFilter<PassType>> filters_;
    std::vector<Step> steps_;
    int64_t workspace_ = 0;
};

} // namespace xconv
