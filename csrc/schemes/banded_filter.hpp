// An exact filter pass over all bands of a convolution, in chunks of samples.
#pragma once

#include <string>
#include <vector>

#include "bands.hpp"
#include "schemes/chunked_filter.hpp"

namespace xconv {

class BandedFilter {
  public:
    void add(const Backend &backend, const Band &band, int64_t samples, int64_t chunk,
             int64_t workspace_limit)
    {
        steps_.push_back(
            {band, ChunkedFilter(backend, band.geometry, samples, chunk, workspace_limit)});
        workspace_ = std::max(workspace_, steps_.back().filter.workspace());
    }

    [[nodiscard]] int64_t workspace() const { return workspace_; }
    /// "4 bands, 8 samples at a time, ..."; `things` are what the samples are.
    [[nodiscard]] std::string describe(const char *things) const
    {
        const ChunkedFilter &filter = steps_.front().filter;
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
            step.filter.run(
                on, accumulate,
                [&](int64_t first, int64_t count) { return inputs(step.band, first, count); }, sum,
                workspace);
            accumulate = true;
        }
    }

  private:
    struct Step {
        Band band;
        ChunkedFilter filter;
    };
    std::vector<Step> steps_;
    int64_t workspace_ = 0;
};

} // namespace xconv
