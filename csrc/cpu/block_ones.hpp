// The filter of ones of blocks of channels of an image, while their lines are in the cache.
#pragma once

#include <algorithm>

#include "cpu/deflation.hpp"
#include "cpu/signs.hpp"

namespace xconv::cpu {

/// Blocks [first, first + blocks) of signs::kLanes channels, which all come strip after
/// strip; ones is [Co][K]. The channels take the part of the images of OnesSums.
class BlockOnes {
  public:
    static_assert(signs::kLanes == kImageBatch);

    BlockOnes(const ConvGeometry &g, const Meetings &meetings, const SimdVariant &simd,
              int64_t first, int64_t blocks, int64_t strips, float *ones)
        : first_(first * kImageBatch),
          channels_(std::min(blocks * kImageBatch, g.out_channels - first_)), channel_(g.y_channel),
          places_(g.kernel_points()), lines_(g.out_points() / g.out[2]), width_(g.out[2]),
          strips_(strips), sums_(meetings, simd, held(channels_, strips), width_), ones_(ones)
    {
    }

    /// Bytes for a block that is open until the last strip.
    static int64_t bytes(const Meetings &meetings)
    {
        return OnesSums<float>::bytes(meetings, kImageBatch, meetings.size[2]);
    }

    /// The lines that end in a strip, of a block.
    void add(const float *y, int64_t block, int64_t strip)
    {
        const int64_t channel = block * kImageBatch - first_;
        const int64_t count = std::min(kImageBatch, channels_ - channel);
        const int64_t line = lines_ * strip / strips_;
        const int64_t lines = lines_ * (strip + 1) / strips_ - line;
        const float *from = y + block * kImageBatch * channel_ + line * width_;
        sums_.add(strips_ > 1 ? channel : 0, {from, channel_, count, {line, lines, 0, width_}});
        if (strips_ == 1) {
            sums_.finish(count, {ones_ + block * kImageBatch * places_, places_, false});
        }
        else if (strip + 1 == strips_ && channel + count == channels_) {
            sums_.finish(channels_, {ones_ + first_ * places_, places_, false});
        }
    }

  private:
    static int64_t held(int64_t channels, int64_t strips)
    {
        return strips > 1 ? channels : kImageBatch;
    }

    int64_t first_;
    int64_t channels_;
    int64_t channel_; // from one to the next
    int64_t places_;
    int64_t lines_;
    int64_t width_;
    int64_t strips_;
    OnesSums<float> sums_;
    float *ones_;
};

} // namespace xconv::cpu
