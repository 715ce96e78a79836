// The filter of ones of dy, while dy is combined tile by tile in the cache.
#pragma once

#include <algorithm>
#include <numeric>

#include "cpu/deflation.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

/// A tile of y: some whole channels of a part of it, or some of the lines or columns of one.
struct LineTile {
    Tile tile;
    int64_t channel;
    int64_t channels;
    LineBlock block; // of each channel
    bool last;       // of its unit
};

/// A part of y, some places of every channel, in such tiles of at most so many places.
/// Threads share out whole units.
class LineTiles {
  public:
    LineTiles(const ConvGeometry &g, Interval places, int64_t longest)
        : part_(block_of(g, places)), width_(g.out[2]), channel_(g.y_channel),
          channels_(g.out_channels), places_(places), whole_(places.length() <= longest),
          columns_(std::min(part_.columns, longest))
    {
        if (!whole_) {
            at_once_ = lines_at_once(columns_, longest);
        }
        else if (places.length() == channel_) { // channels follow one another
            at_once_ = std::min(longest / channel_, channels_);
        }
    }

    /// Whether tiles are whole channels, as far as they belong to the part.
    [[nodiscard]] bool whole() const { return whole_; }
    /// The most columns of a tile.
    [[nodiscard]] int64_t columns() const { return columns_; }
    [[nodiscard]] Interval places() const { return places_; }
    [[nodiscard]] int64_t units() const
    {
        return whole_ ? ceil_div(channels_, at_once_) : channels_;
    }
    [[nodiscard]] int64_t per_unit() const
    {
        return whole_ ? 1 : ceil_div(part_.lines, at_once_) * per_line();
    }
    /// The tiles of one of some threads: those of whole units.
    [[nodiscard]] Interval share(int64_t thread, int64_t threads) const
    {
        return {units() * thread / threads * per_unit(),
                units() * (thread + 1) / threads * per_unit()};
    }
    /// Whether that keeps all threads busy.
    [[nodiscard]] bool shares_evenly(int64_t threads) const
    {
        return 8 * units() >= 7 * ceil_div(units(), threads) * threads;
    }
    [[nodiscard]] LineTile operator[](int64_t index) const
    {
        const int64_t unit = index / per_unit();
        if (whole_) {
            const int64_t first = unit * at_once_;
            const int64_t count = std::min(at_once_, channels_ - first);
            return {tile(first, 0, count * places_.length()), first, count, part_, true};
        }
        const int64_t step = index % per_unit();
        const int64_t line = step / per_line() * at_once_;
        const int64_t column = step % per_line() * columns_;
        const LineBlock block{part_.line + line, std::min(at_once_, part_.lines - line),
                              part_.column + column, std::min(columns_, part_.columns - column)};
        return {tile(unit, line * width_ + column, block.lines * block.columns), unit, 1, block,
                step + 1 == per_unit()};
    }

  private:
    [[nodiscard]] int64_t per_line() const { return ceil_div(part_.columns, columns_); }
    /// From so many places behind the first one of a channel on.
    [[nodiscard]] Tile tile(int64_t channel, int64_t place, int64_t length) const
    {
        return {channel * places_.length() + place, channel * channel_ + places_.first + place,
                length};
    }
    /// Whole vectors, if a tile holds as many lines as that takes.
    static int64_t lines_at_once(int64_t columns, int64_t longest)
    {
        const int64_t unit = kColumnUnit / std::gcd(columns, kColumnUnit);
        const int64_t lines = longest / columns;
        return lines < unit ? lines : lines / unit * unit;
    }

    LineBlock part_; // of each channel
    int64_t width_;
    int64_t channel_; // from one to the next
    int64_t channels_;
    Interval places_;
    bool whole_;
    int64_t columns_;
    int64_t at_once_ = 1; // channels, or lines
};

/// Adds what tiles have to ones [batch][Co][K], of images [first, first + images), but for
/// the first places, which it begins with: all tiles of a unit in order, each with the
/// images in order.
template <class T> class TileOnes {
  public:
    TileOnes(const ConvGeometry &g, const Meetings &meetings, const SimdVariant &simd,
             const LineTiles &tiles, int64_t first, int64_t images, T *ones)
        : channel_(g.y_channel), k_(g.kernel_points()), sample_(g.out_channels * k_),
          whole_(tiles.whole()), begins_(tiles.places().first == 0), first_(first), images_(images),
          sums_(meetings, simd, held(tiles, images), tiles.columns()), ones_(ones + first * sample_)
    {
    }

    /// Bytes that it takes.
    static int64_t bytes(const Meetings &meetings, const LineTiles &tiles, int64_t images)
    {
        return OnesSums<T>::bytes(meetings, held(tiles, images), tiles.columns());
    }

    /// The rows of a tile for `count` images from `image` on, `stride` numbers apart.
    void add(const LineTile &at, int64_t image, const T *rows, int64_t stride, int64_t count)
    {
        image -= first_;
        for (const int64_t end = image + count; image < end;) {
            const int64_t here = std::min(kImageBatch - image % kImageBatch, end - image);
            for (int64_t c = 0; c < at.channels; ++c) {
                sums_.add(whole_ ? 0 : image, {rows + c * channel_, stride, here, at.block});
                if (whole_) {
                    finish(at.channel + c, image, here);
                }
            }
            image += here;
            rows += here * stride;
        }
    }
    /// After the last image of the last tile of a unit.
    void close(const LineTile &at)
    {
        if (!whole_) {
            finish(at.channel, 0, images_);
        }
    }

  private:
    static int64_t held(const LineTiles &tiles, int64_t images)
    {
        return tiles.whole() ? kImageBatch : images;
    }
    void finish(int64_t channel, int64_t image, int64_t count)
    {
        sums_.finish(count, {ones_ + image * sample_ + channel * k_, sample_, !begins_});
    }

    int64_t channel_;
    int64_t k_;
    int64_t sample_; // numbers of an image in ones
    bool whole_;
    bool begins_;
    int64_t first_;
    int64_t images_;
    OnesSums<T> sums_;
    T *ones_;
};

} // namespace xconv::cpu
