// Sums of the channels that long rows consist of, while the rows are worked on segment
// by segment, each by one thread, for something else.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "backend.hpp"
#include "checked.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

class ChannelSums {
  public:
    /// Rows of `length` places: channels of `channel` places each, and segments. Does
    /// nothing when `channel` is 0.
    ChannelSums(int64_t length, int64_t channel, int64_t segment, void *slots)
        : length_(length), channel_(channel), segment_(segment),
          per_row_(channel == 0 ? 0 : slots_per_row(length, channel, segment)),
          slots_(static_cast<double *>(slots))
    {
    }

    /// Of the slots, which nobody has to clear; none without channels.
    static int64_t bytes(int64_t rows, int64_t length, int64_t channel, int64_t segment)
    {
        constexpr int64_t slot = sizeof(double);
        return channel == 0
                   ? 0
                   : checked_mul(slot * slots_per_row(length, channel, segment), rows, "sketch");
    }

    /// Before add(): nothing in a segment of rows [first, last) so far.
    void clear(int64_t first, int64_t last, int64_t segment) const
    {
        const int64_t begin = segment * segment_;
        const int64_t end = std::min(begin + segment_, length_);
        const int64_t count = slot(0, end - 1) - slot(0, begin) + 1;
        double *from = slot(first, begin);
        for (int64_t i = first; i < last; ++i, from += per_row_) {
            std::fill_n(from, count, 0.0);
        }
    }

    /// Channels that places [place, place + count) belong to.
    [[nodiscard]] int64_t channels_in(int64_t place, int64_t count) const
    {
        return (place + count - 1) / channel_ - place / channel_ + 1;
    }
    /// Where the channel of a place ends.
    [[nodiscard]] int64_t end_of(int64_t place) const { return (place / channel_ + 1) * channel_; }

    /// Places [place, place + count) of rows [first, first + rows), of one segment.
    template <class T>
    void add(const SumKernels<T> &kernels, const T *data, int64_t stride, int64_t first,
             int64_t rows, int64_t place, int64_t count) const
    {
        for (int64_t p = place; p < place + count;) {
            const int64_t end = std::min(end_of(p), place + count);
            add_at(p, kernels, data + (p - place), stride, first, rows, end - p);
            p = end;
        }
    }

    /// All numbers of these rows of data, to the channel that `place` belongs to.
    template <class T>
    void add_at(int64_t place, const SumKernels<T> &kernels, const T *data, int64_t stride,
                int64_t first, int64_t rows, int64_t count) const
    {
        double *to = slot(first, place);
        for (int64_t i = 0; i < rows; i += kRows) {
            const int64_t here = std::min(kRows, rows - i);
            std::array<double, kRows> sums{};
            kernels.sum_rows(data + i * stride, stride, here, count, sums.data());
            for (int64_t r = 0; r < here; ++r, to += per_row_) {
                *to += sums[static_cast<size_t>(r)];
            }
        }
    }

    /// sums [rows][stride] of the channels, `count` of them, from the one on that `place`
    /// belongs to; of places of one segment from there on.
    template <class T>
    void add_channels(int64_t place, const T *sums, int64_t stride, int64_t first, int64_t rows,
                      int64_t count) const
    {
        double *to = slot(first, place);
        for (int64_t i = 0; i < rows; ++i, to += per_row_, sums += stride) {
            for (int64_t c = 0; c < count; ++c) {
                to[c] += static_cast<double>(sums[c]);
            }
        }
    }

    /// The means of a row, when all segments are there.
    template <class T> void write_means(int64_t row, T *means) const
    {
        const double *slots = slot(row, 0);
        int64_t segment = 0; // in which the channel begins
        for (int64_t c = 0; c * channel_ < length_; ++c) {
            const int64_t begin = c * channel_;
            while ((segment + 1) * segment_ <= begin) {
                ++segment;
            }
            double sum = 0;
            for (int64_t s = segment; s * segment_ < begin + channel_; ++s) {
                sum += slots[c + s];
            }
            means[c] = static_cast<T>(sum / static_cast<double>(channel_));
        }
    }

  private:
    static constexpr int64_t kRows = 16;

    /// A slot for each channel in each segment. The sum of their indices grows along the
    /// row, so no two that meet have the same one.
    static int64_t slots_per_row(int64_t length, int64_t channel, int64_t segment)
    {
        return (length - 1) / channel + (length - 1) / segment + 1;
    }
    [[nodiscard]] double *slot(int64_t row, int64_t place) const
    {
        return slots_ + row * per_row_ + place / channel_ + place / segment_;
    }

    int64_t length_;
    int64_t channel_;
    int64_t segment_;
    int64_t per_row_;
    double *slots_;
};

} // namespace xconv::cpu
