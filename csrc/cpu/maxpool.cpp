#include "cpu/maxpool.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include "checked.hpp"
#include "cpu/bitstream.hpp"
#include "cpu/parallel.hpp"
#include "cpu/simd.hpp"
#include "cpu/window.hpp"

namespace xconv::cpu {

namespace {

// Outputs found before their places are packed: a multiple of 8, so that every
// block starts at a byte of the index whatever its bits.
constexpr int64_t kBlock = 256;
// Blocks in one task.
constexpr int64_t kBlocks = 64;

using Places = std::array<uint32_t, kBlock>;

/// Kernel taps of an axis that meet real elements from output `out`.
Interval taps_at(const PoolGeometry &g, std::size_t axis, int64_t out)
{
    const int64_t start = out * g.stride[axis] - g.pad_begin[axis];
    return {std::max<int64_t>(0, -start), std::min(g.kernel[axis], g.in[axis] - start)};
}

/// A 16-bit number as an integer of the same order, all NaNs above the numbers.
template <class Half> int16_t rank_of(Half value)
{
    constexpr uint16_t infinity = std::is_same_v<Half, Float16> ? 0x7C00 : 0x7F80;
    const auto magnitude = static_cast<uint16_t>(value.bits & 0x7FFFU);
    const auto rank = static_cast<int16_t>(magnitude > infinity ? 0x7FFF : magnitude);
    const bool negative = value.bits > 0x8000U && magnitude <= infinity;
    return static_cast<int16_t>(negative ? -rank : rank);
}

/// The greater of best and value, and its place; NaN wins, and stays.
template <class T> void challenge(T value, uint32_t here, T &best, uint32_t &place)
{
    // Written so that compilers make vector code of it.
    bool wins = false;
    if constexpr (is_half<T>) {
        wins = rank_of(value) > rank_of(best);
    }
    else {
        wins = best == best ? !(value <= best) : false; // NOLINT
    }
    const T most = wins ? value : best;
    place = wins ? here : place;
    best = most;
}

/// The usual case: windows of 2 by 2 side by side. `upper` and `lower` are the
/// two lines they cover.
template <class T>
void scan_pairs(const T *upper, const T *lower, int64_t count, T *best, uint32_t *place)
{
    for (int64_t i = 0; i < count; ++i) {
        T most = upper[2 * i];
        uint32_t here = 0;
        challenge(upper[2 * i + 1], 1, most, here);
        challenge(lower[2 * i], 2, most, here);
        challenge(lower[2 * i + 1], 3, most, here);
        best[i] = most;
        place[i] = here;
    }
}

/// Winners of `count` outputs from (od, oh, ow) along one line, tap by tap, so
/// that the inner loop runs over outputs. `plane` is one channel of x.
template <class T>
void scan_line(const PoolGeometry &g, const T *plane, int64_t od, int64_t oh, int64_t ow,
               int64_t count, T *best, uint32_t *place)
{
    const Interval depth = taps_at(g, 0, od);
    const Interval height = taps_at(g, 1, oh);
    const int64_t step = g.stride[2];
    const int64_t first = ow * step - g.pad_begin[2];
    if (g.kernel == Axes{1, 2, 2} && step == 2 && height.last - height.first == 2 && first >= 0 &&
        first + 2 * count <= g.in[2]) {
        const T *upper =
            plane +
            ((od * g.stride[0] - g.pad_begin[0]) * g.in[1] + oh * g.stride[1] - g.pad_begin[1]) *
                g.in[2] +
            first;
        scan_pairs(upper, upper + g.in[2], count, best, place);
        return;
    }
    // -inf never beats an element, so the first real tap has to be the default.
    for (int64_t i = 0; i < count; ++i) {
        const int64_t before = g.pad_begin[2] - (ow + i) * step;
        best[i] = static_cast<T>(-std::numeric_limits<ComputeType<T>>::infinity());
        place[i] = static_cast<uint32_t>((depth.first * g.kernel[1] + height.first) * g.kernel[2] +
                                         std::max<int64_t>(0, before));
    }
    for (int64_t kd = depth.first; kd < depth.last; ++kd) {
        const int64_t id = od * g.stride[0] - g.pad_begin[0] + kd;
        for (int64_t kh = height.first; kh < height.last; ++kh) {
            const int64_t ih = oh * g.stride[1] - g.pad_begin[1] + kh;
            const T *line = plane + (id * g.in[1] + ih) * g.in[2];
            for (int64_t kw = 0; kw < g.kernel[2]; ++kw) {
                const int64_t offset = ow * step - g.pad_begin[2] + kw;
                const Interval valid = inside(offset, step, g.in[2], count);
                const auto here = static_cast<uint32_t>((kd * g.kernel[1] + kh) * g.kernel[2] + kw);
                for (int64_t i = valid.first; i < valid.last; ++i) {
                    challenge(line[offset + i * step], here, best[i], place[i]);
                }
            }
        }
    }
}

/// Outputs [first, first + count) of all planes, counted through.
template <class T>
void scan_block(const PoolGeometry &g, const T *x, int64_t first, int64_t count, T *y,
                Places &places)
{
    int64_t ow = first % g.out[2];
    int64_t line = first / g.out[2];
    for (int64_t done = 0; done < count;) {
        const int64_t here = std::min(g.out[2] - ow, count - done);
        const int64_t oh = line % g.out[1];
        const int64_t od = line / g.out[1] % g.out[0];
        const int64_t plane = line / g.out[1] / g.out[0];
        scan_line(g, x + plane * g.in_points(), od, oh, ow, here, y + first + done,
                  places.data() + done);
        done += here;
        ow = 0;
        ++line;
    }
}

/// Where each place of the window lies in a plane, relative to the window.
class Offsets {
  public:
    explicit Offsets(const PoolGeometry &g) : g_(g), places_(product(g.kernel))
    {
        for (int64_t place = 0; place < std::min(places_, kTable); ++place) {
            table_[static_cast<std::size_t>(place)] = offset(place);
        }
    }
    int64_t operator[](uint32_t place) const
    {
        return place < kTable ? table_[place] : offset(place);
    }

  private:
    static constexpr int64_t kTable = 128; // saves divisions for all usual windows

    [[nodiscard]] int64_t offset(int64_t place) const
    {
        const int64_t kw = place % g_.kernel[2];
        const int64_t kh = place / g_.kernel[2] % g_.kernel[1];
        const int64_t kd = place / g_.kernel[2] / g_.kernel[1];
        return (kd * g_.in[1] + kh) * g_.in[2] + kw;
    }

    const PoolGeometry &g_;
    int64_t places_;
    std::array<int64_t, kTable> table_{};
};

template <class T>
void backward_plane(const PoolGeometry &g, const Offsets &offsets, BitReader places, const T *dy,
                    T *dx)
{
    const int64_t points = g.in_points();
    std::fill_n(dx, points, T(0));
    for (int64_t od = 0; od < g.out[0]; ++od) {
        const int64_t id = od * g.stride[0] - g.pad_begin[0];
        for (int64_t oh = 0; oh < g.out[1]; ++oh) {
            const int64_t ih = oh * g.stride[1] - g.pad_begin[1];
            int64_t window = (id * g.in[1] + ih) * g.in[2] - g.pad_begin[2];
            for (int64_t ow = 0; ow < g.out[2]; ++ow, window += g.stride[2], ++dy) {
                const int64_t at = window + offsets[places.next()];
                // An index that maxpool_forward never wrote must not lead outside.
                if (at >= 0 && at < points) {
                    dx[at] += *dy;
                }
            }
        }
    }
}

/// Outputs whose windows meet a range of elements.
Interval outputs_over(const PoolGeometry &g, std::size_t axis, Interval in)
{
    const int64_t before = in.first + g.pad_begin[axis] - g.kernel[axis];
    const int64_t last = (in.last - 1 + g.pad_begin[axis]) / g.stride[axis];
    return {before < 0 ? 0 : before / g.stride[axis] + 1, std::min(last + 1, g.out[axis])};
}

/// 16-bit dx is summed in Float32, a tile of it at a time, and rounded once: a tile
/// is a plane, some lines of one slice of it, or a part of a line.
constexpr int64_t kTile = 4096;

template <class T>
void backward_tile(const PoolGeometry &g, const Offsets &offsets, const uint8_t *index,
                   int64_t plane, const std::array<Interval, 3> &tile, const T *dy, T *dx)
{
    std::array<float, kTile> sums;
    const int64_t begin =
        (tile[0].first * g.in[1] + tile[1].first) * g.in[2] + tile[2].first; // in the plane
    int64_t count = 1;
    for (const Interval &range : tile) {
        count *= range.last - range.first;
    }
    std::fill_n(sums.data(), count, 0.0F);
    const Interval depth = outputs_over(g, 0, tile[0]);
    const Interval height = outputs_over(g, 1, tile[1]);
    const Interval width = outputs_over(g, 2, tile[2]);
    for (int64_t od = depth.first; od < depth.last; ++od) {
        const int64_t id = od * g.stride[0] - g.pad_begin[0];
        for (int64_t oh = height.first; oh < height.last; ++oh) {
            const int64_t ih = oh * g.stride[1] - g.pad_begin[1];
            const int64_t window = (id * g.in[1] + ih) * g.in[2] - g.pad_begin[2] - begin;
            const int64_t line = plane * g.out_points() + (od * g.out[1] + oh) * g.out[2];
            BitReader places(index, line + width.first, g.index_bits);
            for (int64_t ow = width.first; ow < width.last; ++ow) {
                const int64_t at = window + ow * g.stride[2] + offsets[places.next()];
                if (at >= 0 && at < count) {
                    sums[static_cast<std::size_t>(at)] += static_cast<float>(dy[line + ow]);
                }
            }
        }
    }
    best_simd_variant().halves<T>().narrow(sums.data(), count, dx + plane * g.in_points() + begin);
}

template <class T>
void backward_tiles(const PoolGeometry &g, const Offsets &offsets, const uint8_t *index,
                    int64_t plane, const T *dy, T *dx)
{
    const int64_t slices = g.in_points() <= kTile ? g.in[0] : 1;
    const int64_t lines = std::clamp<int64_t>(kTile / g.in[2], 1, g.in[1]);
    const int64_t columns = std::min(kTile, g.in[2]);
    for (int64_t d = 0; d < g.in[0]; d += slices) {
        for (int64_t h = 0; h < g.in[1]; h += lines) {
            for (int64_t w = 0; w < g.in[2]; w += columns) {
                backward_tile(g, offsets, index, plane,
                              {{{d, d + slices},
                                {h, std::min(h + lines, g.in[1])},
                                {w, std::min(w + columns, g.in[2])}}},
                              dy, dx);
            }
        }
    }
}

} // namespace

void maxpool_forward(const PoolGeometry &g, const void *x, void *y, uint8_t *index, int threads)
{
    const int64_t blocks = ceil_div(g.out_count(), kBlock);
    with_tensor_type(g.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(threads, ceil_div(blocks, kBlocks), [&](int64_t task) {
            Places places;
            const int64_t last = std::min(blocks, (task + 1) * kBlocks);
            for (int64_t block = task * kBlocks; block < last; ++block) {
                const int64_t first = block * kBlock;
                const int64_t count = std::min(kBlock, g.out_count() - first);
                scan_block(g, static_cast<const T *>(x), first, count, static_cast<T *>(y), places);
                if (index != nullptr) {
                    pack_bits(places.data(), count, g.index_bits, index + first / 8 * g.index_bits);
                }
            }
        });
    });
}

void maxpool_backward(const PoolGeometry &g, const uint8_t *index, const void *dy, void *dx,
                      int threads)
{
    const Offsets offsets(g);
    with_tensor_type(g.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(threads, g.planes, [&](int64_t plane) {
            if constexpr (is_half<T>) {
                backward_tiles(g, offsets, index, plane, static_cast<const T *>(dy),
                               static_cast<T *>(dx));
            }
            else {
                const int64_t first = plane * g.out_points();
                backward_plane(g, offsets, BitReader(index, first, g.index_bits),
                               static_cast<const T *>(dy) + first,
                               static_cast<T *>(dx) + plane * g.in_points());
            }
        });
    });
}

} // namespace xconv::cpu
