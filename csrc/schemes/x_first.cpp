#include "schemes/x_first.hpp"

#include <algorithm>

namespace xconv {

namespace {

/// Samples that a band of x-hat holds: each draw of z serves all of them.
constexpr int64_t kBandSamples = 8;

int64_t x_bytes(const ConvGeometry &geometry)
{
    return geometry.x_sample() * element_bytes(geometry.dtype);
}

/// Rows of y for which x-hat of `samples` samples stays within `budget`.
int64_t rows_within(const ConvGeometry &geometry, int64_t samples, int64_t budget)
{
    int64_t rows = rows_of_y(geometry);
    const auto bytes = [&] {
        return samples * geometry.in_channels * band_in_points(geometry, rows) *
               element_bytes(geometry.dtype);
    };
    while (rows > least_band_rows(rows_of_y(geometry)) && bytes() > budget) {
        rows = (rows + 1) / 2;
    }
    return rows;
}

} // namespace

XFirst::XFirst(const ProjectionSetup &setup)
    : y_sample_bytes_(setup.geometry.y_sample() * element_bytes(setup.geometry.dtype))
{
    const ConvGeometry &g = setup.geometry;
    const int64_t budget = setup.workspace_limit / 2;
    // x-hat should still be in the cache when the filter pass reads it.
    constexpr int64_t cache = int64_t{8} << 20;
    const bool whole = x_bytes(g) <= budget || !can_band(g);
    const int64_t samples =
        whole ? std::clamp<int64_t>(std::min(budget, cache) / x_bytes(g), 1, g.batch)
              : std::min(g.batch, kBandSamples);
    const int64_t rows = whole ? rows_of_y(g) : rows_within(g, samples, budget);
    auto bands = whole ? std::vector<Band>{Band{g, 0, 0, 0}} : bands_of_y(g, rows);
    for (Band &band : bands) {
        // x-hat is packed; dy stays where it is.
        band.geometry.x_channel = band.geometry.in_points();
        x_hat_bytes_ = std::max(x_hat_bytes_, samples * x_bytes(band.geometry));
    }
    for (const Band &band : bands) {
        filter_.add(setup.backend, band, g.batch, samples, setup.workspace_limit - x_hat_bytes_);
    }
}

int64_t XFirst::workspace() const
{
    Arena arena(nullptr);
    arena.take(x_hat_bytes_);
    arena.take(filter_.workspace());
    return arena.used();
}

std::string XFirst::describe() const { return "x first, " + filter_.describe("samples"); }

} // namespace xconv
