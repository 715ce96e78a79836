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
/// column by column, and only these sums are shared out to the boxes. Where a line is
/// longer than what comes, or is held, of it at a time, that is at once.
template <class T> class OnesSums {
  public:
    /// At most so many columns come at a time.
    OnesSums(const Meetings &meetings, const SimdVariant &simd, int64_t images, int64_t columns)
        : meetings_(meetings), kernels_(simd.sums->kernels<T>()),
          columns_(std::min(columns, kColumns)), row_(row_length(columns)),
          open_(static_cast<size_t>(images)),
          boxes_(static_cast<size_t>(ceil_div(images, kImageBatch) * meetings.boxes())),
          scratch_(static_cast<size_t>(meetings.boxes())),
          sums_(static_cast<size_t>(rows(meetings, images, columns) * row_))
    {
    }

    /// Bytes that it takes.
    static int64_t bytes(const Meetings &meetings, int64_t images, int64_t columns)
    {
        constexpr int64_t box = sizeof(double);
        constexpr int64_t number = sizeof(T);
        return (ceil_div(images, kImageBatch) + 1) * meetings.boxes() * box +
               rows(meetings, images, columns) * row_length(columns) * number;
    }

    /// Lines of images from `image` on, which come together each time and are of one
    /// batch of kImageBatch.
    void add(int64_t image, const ImageLines<T> &lines)
    {
        const int64_t height = meetings_.size[1];
        const int64_t first = lines.block.line;
        const int64_t last = first + lines.block.lines;
        int64_t row = 0; // of boxes
        for (const Interval &d : meetings_.segments[0]) {
            for (const Interval &h : meetings_.segments[1]) {
                const int64_t depths = std::min(d.last, ceil_div(last, height));
                for (int64_t i = std::max(d.first, first / height); i < depths; ++i) {
                    const Interval same{std::max(i * height + h.first, first),
                                        std::min(i * height + h.last, last)};
                    if (same.first < same.last) {
                        add_lines(image, lines, row, same);
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
    /// Columns of which sums are held at most, and lines that are summed in T.
    static constexpr int64_t kColumns = 512;
    static constexpr int64_t kStretch = 64;

    /// What has been added up of images that come together.
    struct Open {
        int64_t images = 1;
        int64_t row = -1; // of boxes
        int64_t lines = 0;
    };

    /// A vector more, so that rows do not meet in the same places of the cache.
    static int64_t row_length(int64_t columns)
    {
        return round_up(std::min(columns, kColumns), kColumnUnit) + kColumnUnit;
    }
    /// Images of which sums of columns are held: no more than come together where these
    /// sums are shared out at once.
    static int64_t rows(const Meetings &meetings, int64_t images, int64_t columns)
    {
        const bool whole = meetings.size[2] <= std::min(columns, kColumns);
        return whole ? images : std::min(images, kImageBatch);
    }

    void add_lines(int64_t image, const ImageLines<T> &given, int64_t row, Interval lines)
    {
        const int64_t width = meetings_.size[2];
        const int64_t end = given.block.column + given.block.columns;
        Open &open = open_[static_cast<size_t>(image)];
        while (lines.first < lines.last) {
            if (open.row != row || open.lines == kStretch) {
                fold(image);
                open = {given.images, row, 0};
            }
            const int64_t some = std::min(lines.length(), kStretch - open.lines);
            for (int64_t k = given.block.column; k < end; k += columns_) {
                const int64_t columns = std::min(columns_, end - k);
                kernels_.add_lines(given, width, {lines.first, some, k, columns}, open.lines == 0,
                                   sums_of(image), row_);
                if (columns_ < width) {
                    fold(image, {k, k + columns});
                }
            }
            open.lines = columns_ < width ? 0 : open.lines + some;
            lines.first += some;
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
    [[nodiscard]] T *sums_of(int64_t image)
    {
        const int64_t row = columns_ < meetings_.size[2] ? image % kImageBatch : image;
        return sums_.data() + row * row_;
    }

    const Meetings &meetings_;
    const SumKernels<T> &kernels_;
    int64_t columns_; // whose sums are held
    int64_t row_;     // numbers from the sums of one image to those of the next
    std::vector<Open> open_;
    std::vector<double> boxes_;
    std::vector<double> scratch_;
    std::vector<T> sums_;
};

Meetings meetings_of(const ConvGeometry &geometry);
/// `places` of a channel of y: whole lines, or some columns of the only one.
LineBlock block_of(const ConvGeometry &geometry, Interval places);

/// Backend::filter_of_ones, with the thread count and the inner loops made explicit; of
/// `places` of each channel: sums += theirs, but for the first ones.
struct DeflationOps {
    int threads;
    const SimdVariant *simd;

    void filter_of_ones(const ConvGeometry &geometry, Interval places, const void *dy,
                        void *sums) const;
};

} // namespace xconv::cpu
