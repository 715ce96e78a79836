#include "cpu/deflation.hpp"

#include <algorithm>
#include <vector>

#include "checked.hpp"
#include "cpu/parallel.hpp"

namespace xconv::cpu {

namespace {

/// Outputs at which place k of the kernel meets x.
Interval meeting(const ConvGeometry &g, size_t axis, int64_t k)
{
    // 0 <= stride * m + shift < in
    const int64_t shift = g.dilation[axis] * k - g.pad_begin[axis];
    const int64_t first = shift >= 0 ? 0 : ceil_div(-shift, g.stride[axis]);
    const int64_t last = g.in[axis] > shift ? ceil_div(g.in[axis] - shift, g.stride[axis]) : 0;
    return {std::min(first, g.out[axis]), std::min(last, g.out[axis])};
}

/// Cut an axis of y where the meeting of some place of the kernel begins or ends. No
/// number of dy is added to a sum that it is then taken out of: Inf and NaN stay where
/// they belong.
void cut(const ConvGeometry &g, size_t axis, Meetings &meetings)
{
    std::vector<Interval> outputs;
    std::vector<int64_t> borders;
    for (int64_t k = 0; k < g.kernel[axis]; ++k) {
        outputs.push_back(meeting(g, axis, k));
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

/// Adds all lines of some images, at most kImageBatch, of one channel.
template <class T, class In>
void add_images(const ConvGeometry &g, const SimdVariant &simd, const In *dy, int64_t stride,
                int64_t images, std::vector<T> &wide, OnesSums<T> &sums)
{
    const int64_t width = g.out[2];
    const int64_t lines = g.out_points() / width;
    if constexpr (is_half<In>) {
        const int64_t at_once = std::clamp<int64_t>(kWidened / (kImageBatch * width), 1, lines);
        wide.resize(static_cast<size_t>(kImageBatch * at_once * width));
        for (int64_t line = 0; line < lines; line += at_once) {
            const int64_t some = std::min(at_once, lines - line);
            for (int64_t i = 0; i < images; ++i) {
                simd.halves<In>().widen(dy + i * stride + line * width, some * width,
                                        wide.data() + i * some * width);
            }
            sums.add(0, {wide.data(), some * width, images, line, some});
        }
    }
    else {
        sums.add(0, {dy, stride, images, 0, lines});
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

int64_t Meetings::boxes() const
{
    int64_t most = kImageBatch;
    for (size_t axis = 0; axis < 3; ++axis) {
        most *= std::max(std::ssize(segments[axis]), std::ssize(met[axis]));
    }
    return most;
}

void DeflationOps::filter_of_ones(const ConvGeometry &g, const void *dy, void *sums) const
{
    const Meetings meetings = meetings_of(g);
    const int64_t places = g.kernel_points();
    const int64_t sample = g.out_channels * places;
    const int64_t batches = ceil_div(g.batch, kImageBatch);
    const int64_t tasks = g.out_channels * batches;
    const int used = threads_worth(static_cast<double>(g.y_count()), threads);
    with_tensor_type(g.dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        parallel_for(used, used, [&](int64_t worker) {
            OnesSums<T> ones(meetings, *simd, kImageBatch);
            std::vector<T> wide;
            const int64_t end = tasks * (worker + 1) / used;
            for (int64_t task = tasks * worker / used; task < end; ++task) {
                const int64_t channel = task / batches;
                const int64_t image = task % batches * kImageBatch;
                const int64_t images = std::min(kImageBatch, g.batch - image);
                const In *from = static_cast<const In *>(dy) + channel * g.y_channel;
                add_images(g, *simd, from + image * g.y_sample(), g.y_sample(), images, wide, ones);
                ones.finish(images,
                            {static_cast<T *>(sums) + image * sample + channel * places, sample});
            }
        });
    });
}

} // namespace xconv::cpu
