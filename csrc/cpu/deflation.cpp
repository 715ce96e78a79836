#include "cpu/deflation.hpp"

#include <algorithm>
#include <array>
#include <type_traits>
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

Meetings meetings_of(const ConvGeometry &g)
{
    Meetings meetings{g.out, {}, {}};
    for (size_t axis = 0; axis < 3; ++axis) {
        cut(g, axis, meetings);
    }
    return meetings;
}

/// Numbers of 16-bit images widened at a time, about.
constexpr int64_t kWidened = 1 << 16;

} // namespace

int64_t Meetings::boxes() const
{
    int64_t most = kImageBatch;
    for (size_t axis = 0; axis < 3; ++axis) {
        most *= std::max(std::ssize(segments[axis]), std::ssize(met[axis]));
    }
    return most;
}

OnesFilter::OnesFilter(const ConvGeometry &geometry)
    : dtype_(geometry.dtype), places_(geometry.kernel_points()), meetings_(meetings_of(geometry))
{
}

void OnesFilter::run(const SimdVariant &simd, const void *dy, int64_t stride, int64_t count,
                     void *sums) const
{
    with_tensor_type(dtype_, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const int64_t width = meetings_.size[2];
        const int64_t lines = meetings_.size[0] * meetings_.size[1];
        const int64_t at_once =
            is_half<In> ? std::clamp<int64_t>(kWidened / (kImageBatch * width), 1, lines) : lines;
        OnesSums<T> ones(meetings_, simd, kImageBatch);
        std::vector<T> wide(static_cast<size_t>(is_half<In> ? kImageBatch * at_once * width : 0));
        for (int64_t i = 0; i < count; i += kImageBatch) {
            const int64_t here = std::min(kImageBatch, count - i);
            for (int64_t line = 0; line < lines; line += at_once) {
                const int64_t some = std::min(at_once, lines - line);
                const In *from = static_cast<const In *>(dy) + i * stride + line * width;
                if constexpr (is_half<In>) {
                    for (int64_t image = 0; image < here; ++image) {
                        simd.halves<In>().widen(from + image * stride, some * width,
                                                wide.data() + image * some * width);
                    }
                    ones.add(0, {wide.data(), some * width, here, line, some});
                }
                else {
                    ones.add(0, {from, stride, here, line, some});
                }
            }
            ones.finish(here, static_cast<T *>(sums) + i * places_, places_);
        }
    });
}

void DeflationOps::filter_of_ones(const ConvGeometry &g, const void *dy, void *sums) const
{
    const OnesFilter filter(g);
    const int64_t images = g.batch * g.out_channels;
    const int used = threads_worth(static_cast<double>(g.y_count()), threads);
    parallel_for(used, used, [&](int64_t worker) {
        const int64_t first = images * worker / used;
        const int64_t last = images * (worker + 1) / used;
        filter.run(*simd, at_element(g.dtype, dy, first * g.y_channel), g.y_channel, last - first,
                   at_element(compute_dtype(g.dtype), sums, first * g.kernel_points()));
    });
}

} // namespace xconv::cpu
