// Sums of the channels that long rows consist of, while the rows are worked on segment
// by segment, each by one thread, for something else.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>

#include "backend.hpp"
#include "checked.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

class ChannelSums {
  public:
    /// Rows of `length` places: channels of `channel` places each, and segments. Does
    /// nothing when `channel` is 0.
    ChannelSums(int64_t rows, int64_t length, int64_t channel, int64_t segment, void *slots)
        : rows_(rows), length_(length), channel_(channel), segment_(segment),
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
        for (int64_t index = slot(begin); index <= slot(end - 1); ++index) {
            std::fill(at(index, first), at(index, last), 0.0);
        }
    }

    /// Places of a channel.
    [[nodiscard]] int64_t length() const { return channel_; }
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
        kernels.sum_rows(data, stride, rows, count, at(slot(place), first));
    }

    /// The sums of all numbers of these rows.
    template <class T>
    void add_sums(int64_t place, const T *sums, int64_t first, int64_t rows) const
    {
        double *to = at(slot(place), first);
        for (int64_t i = 0; i < rows; ++i) {
            to[i] += static_cast<double>(sums[i]);
        }
    }

    /// sums [rows][stride] of the channels, `count` of them, from the one on that `place`
    /// belongs to; of places of one segment from there on.
    template <class T>
    void add_channels(int64_t place, const T *sums, int64_t stride, int64_t first, int64_t rows,
                      int64_t count) const
    {
        for (int64_t c = 0; c < count; ++c) {
            double *to = at(slot(place) + c, first);
            for (int64_t i = 0; i < rows; ++i) {
                to[i] += static_cast<double>(sums[i * stride + c]);
            }
        }
    }

    /// The means of rows [first, first + rows), at most kRows, when all segments are
    /// there.
    template <class T> void write_means(int64_t first, int64_t rows, Matrix means) const
    {
        for (int64_t begin = 0; begin < length_; begin += channel_) {
            std::array<double, kRows> sums{};
            const int64_t last = slot(begin + channel_ - 1);
            for (int64_t index = slot(begin); index <= last; ++index) {
                std::transform(at(index, first), at(index, first + rows), sums.begin(),
                               sums.begin(), std::plus<>());
            }
            for (int64_t i = 0; i < rows; ++i) {
                row<T>(means, first + i)[begin / channel_] =
                    static_cast<T>(sums[static_cast<size_t>(i)] / static_cast<double>(channel_));
            }
        }
    }

    static constexpr int64_t kRows = 16;

  private:
    /// A slot for each channel in each segment. The sum of their indices grows along the
    /// row, so no two that meet have the same one.
    static int64_t slots_per_row(int64_t length, int64_t channel, int64_t segment)
    {
        return (length - 1) / channel + (length - 1) / segment + 1;
    }
    [[nodiscard]] int64_t slot(int64_t place) const { return place / channel_ + place / segment_; }
    /// Slots lie [slot][row].
    [[nodiscard]] double *at(int64_t slot, int64_t row) const
    {
        return slots_ + slot * rows_ + row;
    }

    int64_t rows_;
    int64_t length_;
    int64_t channel_;
    int64_t segment_;
    double *slots_;
};

} // namespace xconv::cpu
