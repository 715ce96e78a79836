// What mean deflation needs of dy: its sums over the outputs at which a place of the
// kernel meets x.
#pragma once

#include <algorithm>
#include <vector>

#include "backend.hpp"
#include "checked.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// The filter of ones of some images, from their lines in any portions.
template <class T> class OnesSums {
  public:
    OnesSums(const Meetings &meetings, const SimdVariant &simd, int64_t images)
        : meetings_(meetings), kernels_(simd.sums->kernels<T>()),
          boxes_(static_cast<size_t>(ceil_div(images, kImageBatch) * meetings.boxes())),
          scratch_(static_cast<size_t>(meetings.boxes()))
    {
    }

    /// Lines of images from `image` on, all of one batch of kImageBatch.
    void add(int64_t image, const ImageLines<T> &lines)
    {
        kernels_.add_boxes(meetings_, lines, boxes_of(image) + image % kImageBatch);
    }

    /// sums [images][K], `stride` numbers apart; starts anew.
    void finish(int64_t images, T *sums, int64_t stride)
    {
        for (int64_t i = 0; i < images; i += kImageBatch) {
            kernels_.sum_met(meetings_, boxes_of(i), scratch_.data(),
                             std::min(kImageBatch, images - i), sums + i * stride, stride);
        }
        std::fill(boxes_.begin(), boxes_.end(), 0.0);
    }

  private:
    [[nodiscard]] double *boxes_of(int64_t image)
    {
        return boxes_.data() + image / kImageBatch * meetings_.boxes();
    }

    const Meetings &meetings_;
    const SumKernels<T> &kernels_;
    std::vector<double> boxes_;
    std::vector<double> scratch_;
};

/// The filter gradient of dy, image by image, for an input of ones with one channel.
class OnesFilter {
  public:
    explicit OnesFilter(const ConvGeometry &geometry);

    [[nodiscard]] const Meetings &meetings() const { return meetings_; }
    /// sums [count][K] of images of dy, `stride` elements apart.
    void run(const SimdVariant &simd, const void *dy, int64_t stride, int64_t count,
             void *sums) const;

  private:
    Dtype dtype_;
    int64_t places_; // K
    Meetings meetings_;
};

/// Backend::filter_of_ones, with the thread count and the inner loops
/// made explicit.
struct DeflationOps {
    int threads;
    const SimdVariant *simd;

    void filter_of_ones(const ConvGeometry &geometry, const void *dy, void *sums) const;
};

} // namespace xconv::cpu
