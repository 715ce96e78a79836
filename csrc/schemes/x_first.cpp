#include "schemes/x_first.hpp"

#include <algorithm>

namespace xconv {

namespace {

/// Samples that a band of x-hat holds: each draw of z serves all of them.
constexpr int64_t kBandSamples = 8;

/// Bytes of x-hat of one sample and `rows` rows of y, and of those rows where dy is widened.
int64_t band_bytes(const ConvGeometry &geometry, int64_t rows, bool widens_dy)
{
    const int64_t x = geometry.in_channels * band_in_points(geometry, rows);
    const int64_t y = geometry.y_sample() / rows_of_y(geometry) * rows;
    return (x + (widens_dy ? y : 0)) * element_bytes(geometry.dtype);
}

} // namespace

XFirst::XFirst(const ProjectionSetup &setup) : tensors_(setup.geometry)
{
    const ConvGeometry g = setup.geometry.with_numbers();
    const int64_t budget = setup.workspace_limit / 2;
    // x-hat should still be in the cache when the filter pass reads it.
    constexpr int64_t cache = int64_t{8} << 20;
    // Bands, rather than so few samples that z is drawn over and over.
    const int64_t shared = std::min(g.batch, kBandSamples);
    // The pass sums a gradient in its own layout, in several parts at times.
    const int64_t beside = setup.workspace_limit - 2 * g.w_count() * element_bytes(g.dtype);
    const int64_t room = std::min({budget, cache, std::max(beside / 2, setup.workspace_limit / 8)});
    const int64_t all_rows = rows_of_y(g);
    const int64_t one = band_bytes(g, all_rows, widens_dy());
    const bool whole = one <= room / shared || !can_band(g);
    int64_t samples = whole ? std::clamp<int64_t>(room / one, 1, g.batch) : shared;
    int64_t rows = all_rows;
    const auto bytes = [&] { return samples * band_bytes(g, rows, widens_dy()); };
    if (!whole) {
        while (rows > least_band_rows(all_rows) && bytes() > room) {
            rows = (rows + 1) / 2;
        }
        while (samples > 1 && bytes() > budget) {
            samples = (samples + 1) / 2;
        }
    }
    auto bands = whole ? std::vector<Band>{Band{g, 0, 0}} : bands_of_y(g, rows);
    for (Band &band : bands) {
        // x-hat is packed; dy stays where it is, unless it has to be widened.
        ConvGeometry &part = band.geometry;
        part.x_channel = part.in_points();
        x_hat_bytes_ =
            std::max(x_hat_bytes_, samples * part.x_sample() * element_bytes(part.dtype));
        if (widens_dy()) {
            part.y_channel = part.out_points();
            dy_bytes_ = std::max(dy_bytes_, samples * part.y_sample() * element_bytes(part.dtype));
        }
    }
    const int64_t rest = setup.workspace_limit - x_hat_bytes_ - dy_bytes_;
    for (const Band &band : bands) {
        filter_.add(band, g.batch, samples, [&](const ConvGeometry &part) {
            return setup.backend.backward_filter(part, rest);
        });
    }
}

const void *XFirst::dy_part(const Backend &on, const Band &band, int64_t first, int64_t count,
                            const void *dy, void *widened) const
{
    const void *from = at_element(tensors_.dtype, dy, first * tensors_.y_sample() + band.y_offset);
    if (!widens_dy()) {
        return from;
    }
    const int64_t y = tensors_.y_sample();
    const Runs places{tensors_.out_channels, band.geometry.out_points(), tensors_.out_points()};
    on.convert(tensors_.dtype, {from, count, y, y}, places, band.geometry.dtype,
               {widened, count, places.total(), places.total()});
    return widened;
}

int64_t XFirst::workspace() const
{
    Arena arena(nullptr);
    arena.take(x_hat_bytes_);
    arena.take(dy_bytes_);
    arena.take(filter_.workspace());
    return arena.used();
}

std::string XFirst::describe() const { return "x first, " + filter_.describe("samples"); }

} // namespace xconv
