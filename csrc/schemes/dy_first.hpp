// Contraction "sketch dy first" with dense probes: z as images, their cotangents
// L = x-barᵀ dy, and the exact filter gradient on them; some probes and some rows
// at a time, so that what one step writes the next still finds in the cache.
#pragma once

#include <string>
#include <vector>

#include "bands.hpp"
#include "schemes/chunked_filter.hpp"
#include "schemes/projection.hpp"
#include "workspace.hpp"

namespace xconv {

/// Probes [first, first + count), in the given places of every channel.
struct ProbePart {
    int64_t first;
    int64_t count;
    int64_t x_offset; // into each channel of x
    Runs x;           // places of z, from x_offset on
    int64_t y_offset; // into each channel of dy
    Runs y;           // places of dy, from y_offset on
    void *z;          // [count][Ci][x.length]
    void *l;          // [count][Co][y.length]
};

class DyFirst {
  public:
    DyFirst(const ProjectionSetup &setup, int64_t probes);

    [[nodiscard]] int64_t workspace() const;

    /// sum = wgrad(z, L); `prepare(part)` writes a part of z and L.
    template <class Prepare>
    void run(const Backend &on, void *sum, void *workspace, Prepare &&prepare) const
    {
        Arena arena(workspace);
        void *z = arena.take(z_bytes_);
        void *l = arena.take(l_bytes_);
        void *scratch = arena.take(filter_workspace_);
        bool accumulate = false;
        for (const Step &step : steps_) {
            step.filter->run(
                on, accumulate,
                [&](int64_t first, int64_t count) {
                    prepare(ProbePart{first, count, step.x_offset, step.x, step.y_offset, step.y, z,
                                      l});
                    return std::pair<const void *, const void *>{z, l};
                },
                sum, scratch);
            accumulate = true;
        }
    }

    [[nodiscard]] std::string describe() const;

  private:
    /// One band of rows, over all probes; a single one where images are small.
    struct Step {
        int64_t x_offset;
        Runs x;
        int64_t y_offset;
        Runs y;
        std::unique_ptr<ChunkedFilter> filter;
    };

    int64_t z_bytes_ = 0;
    int64_t l_bytes_ = 0;
    int64_t filter_workspace_ = 0;
    std::vector<Step> steps_;
};

} // namespace xconv
