// Contraction "sketch dy first" with dense probes: z as images, their cotangents
// L = x-barᵀ dy, and the exact filter gradient on them; some probes and some rows
// at a time, so that what one step writes the next still finds in the cache. A
// device that contracts probes without writing them down does so.
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
    Interval y;       // of every channel of dy
};

class DyFirst {
  public:
    /// Bytes for probes and cotangents: of a step, as far as rows can be cut for that, and
    /// the most there are.
    struct Room {
        int64_t step, most;
    };

    DyFirst(const ProjectionSetup &setup, int64_t probes);

    [[nodiscard]] int64_t workspace() const;

    /// sum = wgrad(z, L), for z the probes from the first entry of `z` on.
    /// `combine(part, l)` writes a part of L as [count][Co][y.length].
    template <class Combine>
    void run(const Backend &on, const Probes &z, void *sum, void *workspace,
             Combine &&combine) const
    {
        Arena arena(workspace);
        void *drawn = arena.take(z_bytes_);
        void *l = arena.take(l_bytes_);
        if (!probe_filter_.empty()) {
            probe_filter_.run(
                on,
                [&](const Band &band, int64_t first, int64_t count) {
                    combine(part_of(band, first, count), l);
                    return std::pair<ProbeImages, const void *>{
                        {z.shifted(band.x_offset, first), x_channel_, 0, 1}, l};
                },
                sum, arena.take(probe_filter_.workspace()));
            return;
        }
        filter_.run(
            on,
            [&](const Band &band, int64_t first, int64_t count) {
                const ProbePart part = part_of(band, first, count);
                on.draw(band.geometry.dtype, z.shifted(part.x_offset, first), part.x,
                        {drawn, count, part.x.total(), part.x.total()});
                combine(part, l);
                return std::pair<const void *, const void *>{drawn, l};
            },
            sum, arena.take(filter_.workspace()));
    }

    [[nodiscard]] std::string describe() const;

  private:
    /// False, and no filter, where the backend has no such pass in that room.
    template <class PassType>
    bool cut_bands(const ProjectionSetup &setup, int64_t probes, const Room &room,
                   BandedFilter<PassType> &filter);
    /// filter_ in bands that keep within the limit, where there are such.
    void fit_bands(const ProjectionSetup &setup, int64_t probes, const Room &room);
    [[nodiscard]] ProbePart part_of(const Band &band, int64_t first, int64_t count) const
    {
        const ConvGeometry &g = band.geometry;
        return {first,
                count,
                band.x_offset,
                {g.in_channels, g.in_points(), x_channel_},
                {band.y_offset, band.y_offset + g.out_points()}};
    }

    int64_t x_channel_; // of the whole x
    int64_t z_bytes_ = 0;
    int64_t l_bytes_ = 0;
    // One of these has the bands: a single one where images are small.
    BandedFilter<FilterPass> filter_;
    BandedFilter<ProbeFilterPass> probe_filter_;
};

} // namespace xconv
