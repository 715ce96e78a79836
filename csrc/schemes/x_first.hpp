// Contraction "reconstruct x first", common to all projections: x-hat of a few
// samples at a time, or of a few of their rows, then the exact filter gradient.
#pragma once

#include <string>
#include <utility>

#include "schemes/banded_filter.hpp"
#include "schemes/projection.hpp"
#include "workspace.hpp"

namespace xconv {

/// The part of x-hat to reconstruct: places [offset, offset + length) of every
/// channel of samples [first, first + count), as [count][Ci][length].
struct XHatPart {
    int64_t first;
    int64_t count;
    int64_t offset;
    int64_t length;
    void *x_hat;
};

class XFirst {
  public:
    explicit XFirst(const ProjectionSetup &setup);

    [[nodiscard]] int64_t workspace() const;

    /// sum = wgrad(x-hat, dy); `reconstruct(part)` writes a part of x-hat.
    template <class Reconstruct>
    void run(const Backend &on, const void *dy, void *sum, void *workspace,
             Reconstruct &&reconstruct) const
    {
        Arena arena(workspace);
        void *x_hat = arena.take(x_hat_bytes_);
        void *widened = arena.take(dy_bytes_);
        filter_.run(
            on,
            [&](const Band &band, int64_t first, int64_t count) {
                reconstruct(
                    XHatPart{first, count, band.x_offset, band.geometry.in_points(), x_hat});
                return std::pair<const void *, const void *>{
                    x_hat, dy_part(on, band, first, count, dy, widened)};
            },
            sum, arena.take(filter_.workspace()));
    }

    [[nodiscard]] std::string describe() const;

  private:
    [[nodiscard]] bool widens_dy() const { return compute_dtype(tensors_.dtype) != tensors_.dtype; }
    /// Samples of a band of dy as numbers; in `widened` when it is not there yet.
    const void *dy_part(const Backend &on, const Band &band, int64_t first, int64_t count,
                        const void *dy, void *widened) const;

    ConvGeometry tensors_;
    int64_t x_hat_bytes_ = 0;
    int64_t dy_bytes_ = 0;            // of the widened part
    BandedFilter<FilterPass> filter_; // one band where images are small
};

} // namespace xconv
