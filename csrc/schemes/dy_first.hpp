// Contraction "sketch dy first" with dense probes: z as images, their cotangents
// L = x-barᵀ dy, and the exact filter gradient on them; some probes and some rows
// at a time, so that what one step writes the next still finds in the cache.
#pragma once

#include <string>
#include <utility>

#include "schemes/banded_filter.hpp"
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
        filter_.run(
            on,
            [&](const Band &band, int64_t first, int64_t count) {
                const ConvGeometry &g = band.geometry;
                prepare(ProbePart{first,
                                  count,
                                  band.x_offset,
                                  {g.in_channels, g.in_points(), x_channel_},
                                  band.y_offset,
                                  {g.out_channels, g.out_points(), y_channel_},
                                  z,
                                  l});
                return std::pair<const void *, const void *>{z, l};
            },
            sum, arena.take(filter_.workspace()));
    }

    [[nodiscard]] std::string describe() const;

  private:
    int64_t x_channel_; // of the whole tensors
    int64_t y_channel_;
    int64_t z_bytes_ = 0;
    int64_t l_bytes_ = 0;
    BandedFilter filter_; // one band where images are small
};

} // namespace xconv
