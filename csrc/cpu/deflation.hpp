// What mean deflation needs of dy: its sums over the outputs at which a place of the
// kernel meets x.
#pragma once

#include <algorithm>
#include <vector>

#include "backend.hpp"
#include "checked.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// The filter of ones of some images, from their lines in order, in any portions.
///
/// Lines that meet the same places of the kernel are added up first, a stretch of them
/// column by column, and only these sums are shared out to the boxes.
template <class T> class OnesSums {
  public:
    OnesSums(const Meetings &meetings, const SimdVariant &simd, int64_t images)
        : meetings_(meetings), kernels_(simd.sums->kernels<T>()),
          columns_(std::min(meetings.size[2], kColumns)), row_(row_length(meetings)),
          open_(static_cast<size_t>(images)),
          boxes_(static_cast<size_t>(ceil_div(images, kImageBatch) * meetings.boxes())),
          scratch_(static_cast<size_t>(meetings.boxes())), sums_(static_cast<size_t>(images * row_))
    {
    }

    /// Bytes that it takes for so many images.
    static int64_t bytes(const Meetings &meetings, int64_t images)
    {
        constexpr int64_t box = sizeof(double);
        constexpr int64_t number = sizeof(T);
        return (ceil_div(images, kImageBatch) + 1) * meetings.boxes() * box +
               images * row_length(meetings) * number;
    }

    /// Lines of images from `image` on, which come together each time and are of one
    /// batch of kImageBatch.
    void add(int64_t image, const ImageLines<T> &lines)
    {
        const int64_t height = meetings_.size[1];
        const int64_t last = lines.first + lines.count;
        int64_t row = 0; // of boxes
        for (const Interval &d : meetings_.segments[0]) {
            for (const Interval &h : meetings_.segments[1]) {
                const int64_t depths = std::min(d.last, ceil_div(last, height));
                for (int64_t i = std::max(d.first, lines.first / height); i < depths; ++i) {
                    const int64_t from = std::max(i * height + h.first, lines.first);
                    const int64_t end = std::min(i * height + h.last, last);
                    if (from < end) {
                        add_lines(image, lines, row, from - lines.first, end - from);
                    }
                }
                ++row;
            }
        }
    }

    /// sums of all images; starts anew.
    void finish(int64_t images, const MetSums<T> &sums)
    {
        for (int64_t i = 0; i < images; i += open_[static_cast<size_t>(i)].images) {
            fold(i);
        }
        for (int64_t i = 0; i < images; i += kImageBatch) {
            kernels_.sum_met(meetings_, boxes_of(i), scratch_.data(),
                             std::min(kImageBatch, images - i), sums.from(i));
        }
        std::fill(boxes_.begin(), boxes_.end(), 0.0);
    }

  private:
    /// Columns of which sums are held, and lines that are summed in T.
    static constexpr int64_t kColumns = 512;
    static constexpr int64_t kStretch = 64;

    /// What has been added up of images that come together.
    struct Open {
        int64_t images = 1;
        int64_t row = -1; // of boxes
        int64_t lines = 0;
    };

    /// A vector more, so that rows do not meet in the same places of the cache.
    static int64_t row_length(const Meetings &meetings)
    {
        return round_up(std::min(meetings.size[2], kColumns), kColumnUnit) + kColumnUnit;
    }

    void add_lines(int64_t image, const ImageLines<T> &given, int64_t row, int64_t line,
                   int64_t lines)
    {
        const int64_t width = meetings_.size[2];
        Open &open = open_[static_cast<size_t>(image)];
        for (const int64_t end = line + lines; line < end;) {
            if (open.row != row || open.lines == kStretch) {
                fold(image);
                open = {given.images, row, 0};
            }
            const int64_t some = std::min(end - line, kStretch - open.lines);
            for (int64_t k = 0; k < width; k += columns_) {
                const int64_t columns = std::min(columns_, width - k);
                kernels_.add_lines(given, width, {line, some, k, columns}, open.lines == 0,
                                   sums_of(image), row_);
                if (columns_ < width) {
                    fold(image, {k, k + columns});
                }
            }
            open.lines = columns_ < width ? 0 : open.lines + some;
            line += some;
        }
    }
    void fold(int64_t image, Interval columns)
    {
        const Open &open = open_[static_cast<size_t>(image)];
        const auto row = static_cast<int64_t>(meetings_.segments[2].size()) * kImageBatch;
        kernels_.fold_columns(meetings_.segments[2], columns, sums_of(image), row_, open.images,
                              boxes_of(image) + open.row * row + image % kImageBatch);
    }
    /// What is open.
    void fold(int64_t image)
    {
        Open &open = open_[static_cast<size_t>(image)];
        if (open.lines > 0) {
            fold(image, {0, columns_});
        }
        open.row = -1;
        open.lines = 0;
    }

    [[nodiscard]] double *boxes_of(int64_t image)
    {
        return boxes_.data() + image / kImageBatch * meetings_.boxes();
    }
    [[nodiscard]] T *sums_of(int64_t image) { return sums_.data() + image * row_; }

    const Meetings &meetings_;
    const SumKernels<T> &kernels_;
    int64_t columns_;
    int64_t row_; // numbers from the sums of one image to those of the next
    std::vector<Open> open_;
    std::vector<double> boxes_;
    std::vector<double> scratch_;
    std::vector<T> sums_;
};

Meetings meetings_of(const ConvGeometry &geometry);

/// Backend::filter_of_ones, with the thread count and the inner loops
/// made explicit.
struct DeflationOps {
    int threads;
    const SimdVariant *simd;

    void filter_of_ones(const ConvGeometry &geometry, const void *dy, void *sums) const;
};

} // namespace xconv::cpu
