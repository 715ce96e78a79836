#include "cpu/deflation.hpp"

#include <algorithm>
#include <vector>

#include "checked.hpp"
#include "cpu/parallel.hpp"
#include "cpu/window.hpp"

namespace xconv::cpu {

namespace {

/// Cut an axis of y where the meeting of some place of the kernel begins or ends. No
/// number of dy is added to a sum that it is then taken out of: Inf and NaN stay where
/// they belong.
void cut(const ConvGeometry &g, size_t axis, Meetings &meetings)
{
    std::vector<Interval> outputs;
    std::vector<int64_t> borders;
    for (int64_t k = 0; k < g.kernel[axis]; ++k) {
        const int64_t offset = g.dilation[axis] * k - g.pad_begin[axis];
        outputs.push_back(inside(offset, g.stride[axis], g.in[axis], g.out[axis]));
        borders.insert(borders.end(), {outputs.back().first, outputs.back().last});
    }
    std::sort(borders.begin(), borders.end());
    borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
    for (size_t i = 0; i + 1 < borders.size(); ++i) {
        meetings.segments[axis].push_back({borders[i], borders[i + 1]});
    }
    const auto index = [&](int64_t border) {
        return std::lower_bound(borders.begin(), borders.end(), border) - borders.begin();
    };
    for (const Interval &met : outputs) {
        meetings.met[axis].push_back({index(met.first), index(met.last)});
    }
}

/// Numbers of 16-bit images widened at a time, about.
constexpr int64_t kWidened = 1 << 16;

/// Adds lines of some images, at most kImageBatch, of one channel.
template <class T, class In>
void add_images(const SimdVariant &simd, const ImageLines<In> &lines, std::vector<T> &wide,
                OnesSums<T> &sums)
{
    if constexpr (is_half<In>) {
        LineBlock block = lines.block;
        const int64_t width = block.columns;
        const int64_t at_once =
            std::clamp<int64_t>(kWidened / (kImageBatch * width), 1, block.lines);
        wide.resize(static_cast<size_t>(kImageBatch * at_once * width));
        const In *from = lines.data;
        for (const int64_t end = block.line + block.lines; block.line < end;) {
            block.lines = std::min(at_once, end - block.line);
            const int64_t count = block.lines * width;
            for (int64_t i = 0; i < lines.images; ++i) {
                simd.halves<In>().widen(from + i * lines.stride, count, wide.data() + i * count);
            }
            sums.add(0, {wide.data(), count, lines.images, block});
            from += count;
            block.line += block.lines;
        }
    }
    else {
        sums.add(0, lines);
    }
}

} // namespace

Meetings meetings_of(const ConvGeometry &g)
{
    Meetings meetings{g.out, {}, {}};
    for (size_t axis = 0; axis < 3; ++axis) {
        cut(g, axis, meetings);
    }
    return meetings;
}

LineBlock block_of(const ConvGeometry &g, Interval places)
{
    const int64_t width = g.out[2];
    if (g.out_points() == width) {
        return {0, 1, places.first, places.length()};
    }
    return {places.first / width, places.length() / width, 0, width};
}

int64_t Meetings::boxes() const
{
    int64_t most = kImageBatch;
    for (size_t axis = 0; axis < 3; ++axis) {
        most *= std::max(std::ssize(segments[axis]), std::ssize(met[axis]));
    }
    return most;
}

void DeflationOps::filter_of_ones(const ConvGeometry &g, Interval places, const void *dy,
                                  void *sums) const
{
    const Meetings meetings = meetings_of(g);
    const LineBlock block = block_of(g, places);
    const int64_t k = g.kernel_points();
    const int64_t sample = g.out_channels * k;
    const int64_t batches = ceil_div(g.batch, kImageBatch);
    const int64_t tasks = g.out_channels * batches;
    const auto count = static_cast<double>(g.batch * g.out_channels * places.length());
    const int used = threads_worth(count, threads);
    with_tensor_type(g.dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        parallel_for(used, used, [&](int64_t worker) {
            OnesSums<T> ones(meetings, *simd, kImageBatch, block.columns);
            std::vector<T> wide;
            const int64_t end = tasks * (worker + 1) / used;
            for (int64_t task = tasks * worker / used; task < end; ++task) {
                const int64_t channel = task / batches;
                const int64_t image = task % batches * kImageBatch;
                const int64_t images = std::min(kImageBatch, g.batch - image);
                const In *from = static_cast<const In *>(dy) + image * g.y_sample() +
                                 channel * g.y_channel + places.first;
                add_images<T, In>(*simd, {from, g.y_sample(), images, block}, wide, ones);
                ones.finish(images, {static_cast<T *>(sums) + image * sample + channel * k, sample,
                                     places.first > 0});
            }
        });
    });
}

} // namespace xconv::cpu
