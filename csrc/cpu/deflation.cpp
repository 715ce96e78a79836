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

/// dy cut where the meeting of some place of the kernel begins or ends, so that every
/// meeting is a few whole segments of each axis. No number of dy is added to a sum that
/// it is then taken out of: Inf and NaN stay where they belong.
struct Meetings {
    Cuts cuts;
    std::array<std::vector<Interval>, 3> segments; // for each place of the kernel

    explicit Meetings(const ConvGeometry &g) : cuts{g.out, {}}
    {
        for (size_t axis = 0; axis < 3; ++axis) {
            cut(g, axis);
        }
    }

  private:
    void cut(const ConvGeometry &g, size_t axis)
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
            cuts.segments[axis].push_back({borders[i], borders[i + 1]});
        }
        const auto index = [&](int64_t border) {
            return std::lower_bound(borders.begin(), borders.end(), border) - borders.begin();
        };
        for (const Interval &met : outputs) {
            segments[axis].push_back({index(met.first), index(met.last)});
        }
    }
};

/// Numbers of a 16-bit tensor widened at a time.
constexpr int64_t kStretch = 4096;

/// SumKernels on a tensor's elements; 16-bit ones are widened first.
template <class In> class Sums {
  public:
    using T = ComputeType<In>;

    explicit Sums(const SimdVariant &simd) : kernels_(simd.sums->kernels<T>()) {}

    double sum(const In *values, int64_t count)
    {
        double total = 0;
        const int64_t step = std::is_same_v<T, In> ? count : kStretch;
        for (int64_t i = 0; i < count; i += step) {
            const int64_t here = std::min(step, count - i);
            total += kernels_.sum(widened(values + i, here), here);
        }
        return total;
    }
    void sum_boxes(const In *array, const Cuts &cuts, double *boxes)
    {
        kernels_.sum_boxes(widened(array, cuts.size[0] * cuts.size[1] * cuts.size[2]), cuts, boxes);
    }

  private:
    const T *widened(const In *values, int64_t count)
    {
        if constexpr (std::is_same_v<T, In>) {
            return values;
        }
        else {
            widened_.assign(values, values + count);
            return widened_.data();
        }
    }

    const SumKernels<T> &kernels_;
    std::vector<T> widened_;
};

/// out[a][k][c] = sum over s in meeting k of in[a][s][c], for `before` values of a and
/// `after` of c.
void add_met(const std::vector<Interval> &meetings, int64_t before, int64_t segments, int64_t after,
             const double *in, double *out)
{
    for (int64_t a = 0; a < before; ++a) {
        for (const Interval &met : meetings) {
            for (int64_t c = 0; c < after; ++c) {
                double sum = 0;
                for (int64_t s = met.first; s < met.last; ++s) {
                    sum += in[s * after + c];
                }
                *out++ = sum;
            }
        }
        in += segments * after;
    }
}

/// The filter of ones of one channel of dy after the other.
template <class In> class OnesFilter {
  public:
    using T = ComputeType<In>;

    OnesFilter(const Meetings &meetings, const SimdVariant &simd) : meetings_(meetings), sums_(simd)
    {
        int64_t most = 1;
        for (size_t axis = 0; axis < 3; ++axis) {
            segments_[axis] = std::ssize(meetings.cuts.segments[axis]);
            places_[axis] = std::ssize(meetings.segments[axis]);
            most *= std::max(segments_[axis], places_[axis]);
        }
        boxes_.resize(static_cast<size_t>(most));
        partly_.resize(static_cast<size_t>(most));
    }

    /// sums [K] of a channel.
    void run(const In *dy, T *sums)
    {
        sums_.sum_boxes(dy, meetings_.cuts, boxes_.data());
        add_met(meetings_.segments[2], segments_[0] * segments_[1], segments_[2], 1, boxes_.data(),
                partly_.data());
        add_met(meetings_.segments[1], segments_[0], segments_[1], places_[2], partly_.data(),
                boxes_.data());
        add_met(meetings_.segments[0], 1, segments_[0], places_[1] * places_[2], boxes_.data(),
                partly_.data());
        std::transform(partly_.data(), partly_.data() + product(places_), sums,
                       [](double sum) { return static_cast<T>(sum); });
    }

  private:
    const Meetings &meetings_;
    Sums<In> sums_;
    Axes segments_{}; // of each axis
    Axes places_{};   // of the kernel
    std::vector<double> boxes_;
    std::vector<double> partly_;
};

} // namespace

void DeflationOps::row_means(Dtype dtype, ConstMatrix x, void *means) const
{
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const double count = static_cast<double>(x.rows) * static_cast<double>(x.cols);
        const int used = threads_worth(count, threads);
        const int64_t share = ceil_div(x.rows, used);
        parallel_for(used, used, [&](int64_t worker) {
            Sums<In> sums(*simd);
            for (int64_t i = worker * share; i < std::min(x.rows, (worker + 1) * share); ++i) {
                const In *row = static_cast<const In *>(x.data) + i * x.stride;
                static_cast<T *>(means)[i] =
                    static_cast<T>(sums.sum(row, x.cols) / static_cast<double>(x.cols));
            }
        });
    });
}

void DeflationOps::filter_of_ones(const ConvGeometry &g, const void *dy, void *sums) const
{
    with_tensor_type(g.dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const Meetings meetings(g);
        const int64_t planes = g.batch * g.out_channels;
        const int used = threads_worth(static_cast<double>(g.y_count()), threads);
        const int64_t share = ceil_div(planes, used);
        parallel_for(used, used, [&](int64_t worker) {
            OnesFilter<In> filter(meetings, *simd);
            for (int64_t i = worker * share; i < std::min(planes, (worker + 1) * share); ++i) {
                filter.run(static_cast<const In *>(dy) + i * g.y_channel,
                           static_cast<T *>(sums) + i * g.kernel_points());
            }
        });
    });
}

} // namespace xconv::cpu
