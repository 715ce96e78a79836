// The filter of ones of dy, while dy is combined tile by tile in the cache.
#pragma once

#include <algorithm>
#include <numeric>
#include <utility>

#include "cpu/deflation.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

/// A tile of y: whole channels, or whole lines of one.
struct LineTile {
    Tile tile;
    int64_t channel;
    int64_t channels;
    int64_t line;
    int64_t lines; // of each channel
    bool last;     // of its unit
};

/// A whole y in such tiles of at most so many places. Threads share out whole units.
class LineTiles {
  public:
    /// A line is not longer than `longest`.
    LineTiles(const ConvGeometry &g, int64_t longest)
        : channels_(g.out_channels), points_(g.out_points()), width_(g.out[2]),
          lines_(points_ / width_), whole_(points_ <= longest),
          at_once_(whole_ ? std::min(longest / points_, channels_) : lines_at_once(width_, longest))
    {
    }

    /// Whether tiles are whole channels, all lines of them.
    [[nodiscard]] bool whole() const { return whole_; }
    [[nodiscard]] int64_t units() const
    {
        return whole_ ? ceil_div(channels_, at_once_) : channels_;
    }
    [[nodiscard]] int64_t per_unit() const { return whole_ ? 1 : ceil_div(lines_, at_once_); }
    /// Units of one of some threads: its first, and the first that is not.
    [[nodiscard]] std::pair<int64_t, int64_t> share(int64_t thread, int64_t threads) const
    {
        return {units() * thread / threads, units() * (thread + 1) / threads};
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
            return {tile(first * points_, count * points_), first, count, 0, lines_, true};
        }
        const int64_t line = index % per_unit() * at_once_;
        const int64_t count = std::min(at_once_, lines_ - line);
        return {tile(unit * points_ + line * width_, count * width_),
                unit,
                1,
                line,
                count,
                line + count == lines_};
    }

  private:
    /// Channels follow one another.
    static Tile tile(int64_t place, int64_t length) { return {place, place, length}; }
    /// Whole vectors, if a tile holds as many lines as that takes.
    static int64_t lines_at_once(int64_t width, int64_t longest)
    {
        const int64_t unit = kColumnUnit / std::gcd(width, kColumnUnit);
        const int64_t lines = longest / width;
        return lines < unit ? lines : lines / unit * unit;
    }

    int64_t channels_;
    int64_t points_;
    int64_t width_;
    int64_t lines_;
    bool whole_;
    int64_t at_once_; // channels, or lines
};

/// Fills ones [batch][Co][K] for images [first, first + images): all tiles of a unit in
/// order, each with the images in order.
template <class T> class TileOnes {
  public:
    TileOnes(const ConvGeometry &g, const Meetings &meetings, const SimdVariant &simd,
             const LineTiles &tiles, int64_t first, int64_t images, T *ones)
        : points_(g.out_points()), places_(g.kernel_points()), sample_(g.out_channels * places_),
          whole_(tiles.whole()), first_(first), images_(images),
          sums_(meetings, simd, whole_ ? kImageBatch : images), ones_(ones + first * sample_)
    {
    }

    /// Bytes that it takes.
    static int64_t bytes(const Meetings &meetings, const LineTiles &tiles, int64_t images)
    {
        return OnesSums<T>::bytes(meetings, tiles.whole() ? kImageBatch : images);
    }

    /// The rows of a tile for `count` images from `image` on, `stride` numbers apart.
    void add(const LineTile &at, int64_t image, const T *rows, int64_t stride, int64_t count)
    {
        image -= first_;
        for (const int64_t end = image + count; image < end;) {
            const int64_t here = std::min(kImageBatch - image % kImageBatch, end - image);
            for (int64_t c = 0; c < at.channels; ++c) {
                sums_.add(whole_ ? 0 : image,
                          {rows + c * points_, stride, here, at.line, at.lines});
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
    void finish(int64_t channel, int64_t image, int64_t count)
    {
        sums_.finish(count, {ones_ + image * sample_ + channel * places_, sample_});
    }

    int64_t points_;
    int64_t places_;
    int64_t sample_; // numbers of an image in ones
    bool whole_;
    int64_t first_;
    int64_t images_;
    OnesSums<T> sums_;
    T *ones_;
};

} // namespace xconv::cpu
