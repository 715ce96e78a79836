// An exact filter pass over all bands of a convolution, in chunks of samples.
#pragma once

#include <string>
#include <vector>

#include "bands.hpp"
#include "schemes/chunked_filter.hpp"

namespace xconv {

template <class PassType> class BandedFilter {
  public:
    /// A band of `samples` samples, at most `chunk` at a time, by passes that
    /// `make(geometry)` gives; false if it gave none.
    template <class Make> bool add(const Band &band, int64_t samples, int64_t chunk, Make &&make)
    {
        ChunkedFilter<PassType> filter(band.geometry, samples, chunk, make);
        if (!filter.complete()) {
            return false;
        }
        workspace_ = std::max(workspace_, filter.workspace());
        steps_.push_back({band, std::move(filter)});
        return true;
    }

    [[nodiscard]] bool empty() const { return steps_.empty(); }
    [[nodiscard]] int64_t bands() const { return std::ssize(steps_); }
    [[nodiscard]] int64_t workspace() const { return workspace_; }
    /// "4 bands, 8 samples at a time, ..."; `things` are what the samples are.
    [[nodiscard]] std::string describe(const char *things) const
    {
        const ChunkedFilter<PassType> &filter = steps_.front().filter;
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
        ChunkedFilter<PassType> filter;
    };
    std::vector<Step> steps_;
    int64_t workspace_ = 0;
};

} // namespace xconv
