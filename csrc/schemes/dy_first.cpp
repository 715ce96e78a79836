#include "schemes/dy_first.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace xconv {

namespace {

/// Probes whose cotangents one pass over dy makes; more would not speed it up.
constexpr int64_t kMostProbes = 32;
/// Probes drawn together: a chunk is a whole number of them where it can be.
constexpr int64_t kProbeGroup = 8;
/// Probes and cotangents of a step that stay in the cache.
constexpr int64_t kCacheBytes = int64_t{16} << 20;

struct Cut {
    int64_t probes; // at a time
    int64_t rows;   // of y
};

/// L of one probe in bands of so many rows, and z where it is `drawn`.
int64_t probe_bytes(const ConvGeometry &g, int64_t rows, bool drawn)
{
    const int64_t y = g.out_channels * rows * (g.out_points() / rows_of_y(g));
    const int64_t x = drawn ? g.in_channels * band_in_points(g, rows) : 0;
    return (x + y) * element_bytes(g.dtype);
}

/// Bands overlap in x. Fewer rows than this would be drawn twice too often.
int64_t least_rows(const ConvGeometry &g)
{
    const auto axis = static_cast<size_t>(3 - g.rank);
    const int64_t overlap = g.kernel_extent(axis) - g.stride[axis];
    return std::max({ceil_div(2 * std::max<int64_t>(overlap, 0), g.stride[axis]),
                     least_band_rows(rows_of_y(g)), int64_t{1}});
}

int64_t even_chunk(int64_t probes, int64_t most)
{
    return std::min(most, round_up(even_part(probes, most), kProbeGroup));
}

Cut choose_cut(const ConvGeometry &g, int64_t probes, const DyFirst::Room &room, bool drawn)
{
    Cut cut{even_chunk(probes, std::min(probes, kMostProbes)), rows_of_y(g)};
    const auto bytes = [&] { return cut.probes * probe_bytes(g, cut.rows, drawn); };
    if (can_band(g)) {
        while (cut.rows > least_rows(g) && bytes() > room.step) {
            cut.rows = std::max(ceil_div(cut.rows, 2), least_rows(g));
        }
    }
    if (bytes() > room.most) {
        cut.probes =
            even_chunk(probes, std::max<int64_t>(room.most / probe_bytes(g, cut.rows, drawn), 1));
    }
    while (can_band(g) && cut.rows > least_band_rows(rows_of_y(g)) && bytes() > room.most) {
        cut.rows = ceil_div(cut.rows, 2);
    }
    return cut;
}

} // namespace

DyFirst::DyFirst(const ProjectionSetup &setup, int64_t probes)
    : x_channel_(setup.geometry.in_points())
{
    // Probes that are not written leave room for whole images. Bands overlap, and where
    // they do, draw them twice.
    const int64_t most = setup.workspace_limit / 4 * 3;
    const Room bands{std::min(kCacheBytes, most), most};
    const Room whole{setup.workspace_limit / 8 * 7, setup.workspace_limit / 8 * 7};
    if (!cut_bands(setup, probes, whole, probe_filter_) &&
        !cut_bands(setup, probes, bands, probe_filter_)) {
        fit_bands(setup, probes, bands);
    }
}

void DyFirst::fit_bands(const ProjectionSetup &setup, int64_t probes, const Room &room)
{
    // A pass that takes more than is left to it leaves less for probes and cotangents. Where
    // it takes more than there is, small bands do not help.
    constexpr int64_t smallest_share = 16;
    for (int64_t share = 1; share <= smallest_share; share *= 2) {
        const int64_t most = room.most / share;
        cut_bands(setup, probes, {std::min(room.step, most), most}, filter_);
        if (workspace() <= setup.workspace_limit) {
            return;
        }
    }
    cut_bands(setup, probes, room, filter_);
}

template <class PassType>
bool DyFirst::cut_bands(const ProjectionSetup &setup, int64_t probes, const Room &room,
                        BandedFilter<PassType> &filter)
{
    constexpr bool drawn = !std::is_same_v<PassType, ProbeFilterPass>;
    filter = {};
    const ConvGeometry g = setup.geometry.with_numbers();
    const Cut cut = choose_cut(g, probes, room, drawn);
    auto bands =
        cut.rows == rows_of_y(g) ? std::vector<Band>{Band{g, 0, 0}} : bands_of_y(g, cut.rows);
    z_bytes_ = 0;
    l_bytes_ = 0;
    for (Band &band : bands) { // both sides are packed
        ConvGeometry &part = band.geometry;
        part.x_channel = part.in_points();
        part.y_channel = part.out_points();
        z_bytes_ =
            std::max(z_bytes_, drawn ? cut.probes * part.x_sample() * element_bytes(g.dtype) : 0);
        l_bytes_ = std::max(l_bytes_, cut.probes * part.y_sample() * element_bytes(g.dtype));
    }
    const int64_t rest = setup.workspace_limit - z_bytes_ - l_bytes_;
    const bool complete = std::ranges::all_of(bands, [&](const Band &band) {
        return filter.add(band, probes, cut.probes, [&](const ConvGeometry &part) {
            if constexpr (drawn) {
                return setup.backend.backward_filter(part, rest);
            }
            else {
                return setup.backend.probe_filter(part, setup.distribution, rest);
            }
        });
    });
    if (!complete) {
        filter = {};
    }
    return complete;
}

int64_t DyFirst::workspace() const
{
    Arena arena(nullptr);
    arena.take(z_bytes_);
    arena.take(l_bytes_);
    arena.take(probe_filter_.empty() ? filter_.workspace() : probe_filter_.workspace());
    return arena.used();
}

std::string DyFirst::describe() const
{
    return probe_filter_.empty() ? filter_.describe("probes") : probe_filter_.describe("probes");
}

} // namespace xconv
