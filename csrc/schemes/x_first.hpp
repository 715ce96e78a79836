// Contraction "reconstruct x first", common to all projections: x-hat of a few
// samples at a time, or of a few of their rows, then the exact filter gradient.
#pragma once

#include <string>
#include <vector>

#include "bands.hpp"
#include "schemes/chunked_filter.hpp"
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
        void *scratch = arena.take(filter_workspace_);
        bool accumulate = false;
        for (const Step &step : steps_) {
            step.filter->run(
                on, accumulate,
                [&](int64_t first, int64_t count) {
                    reconstruct(XHatPart{first, count, step.x_offset, step.x_length, x_hat});
                    return std::pair<const void *, const void *>{
                        x_hat, static_cast<const std::byte *>(dy) + first * y_sample_bytes_ +
                                   step.y_bytes};
                },
                sum, scratch);
            accumulate = true;
        }
    }

    [[nodiscard]] std::string describe() const;

  private:
    /// One band of rows, over all samples; a single one where images are small.
    struct Step {
        int64_t x_offset; // into each channel
        int64_t x_length;
        int64_t y_bytes; // into each sample of dy
        std::unique_ptr<ChunkedFilter> filter;
    };

    int64_t y_sample_bytes_;
    int64_t x_hat_bytes_ = 0;
    int64_t filter_workspace_ = 0;
    std::vector<Step> steps_;
};

} // namespace xconv
