// filter_of_ones: for each plane of dy, its sum over the outputs that each place of
// the kernel meets x at. Nearly all outputs are met by every place: these go into
// one sum, and only the others are compared place by place.
#include "cuda/kernels/vectors.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_means.hpp"

namespace xconv::cuda {

namespace {

/// An axis of the convolution.
struct WindowAxis {
    int64_t in;
    int64_t out;
    int64_t kernel;
    int64_t stride;
    int64_t dilation;
    int64_t pad;

    XCONV_DEVICE int64_t start(int64_t m) const { return stride * m - pad; }
    XCONV_DEVICE bool meets(int64_t m, int64_t k) const
    {
        const int64_t at = start(m) + dilation * k;
        return at >= 0 && at < in;
    }
    XCONV_DEVICE bool always_meets(int64_t m) const
    {
        return start(m) >= 0 && start(m) + dilation * (kernel - 1) < in;
    }
};

/// A place of three axes.
struct Point {
    int64_t at[3];

    XCONV_DEVICE static Point of(int64_t index, const WindowAxis *axes)
    {
        const int64_t line = index / axes[2].out;
        return {{line / axes[1].out, line % axes[1].out, index % axes[2].out}};
    }
    /// The point as many outputs further on as `step` is from the first.
    XCONV_DEVICE void advance(const Point &step, const WindowAxis *axes)
    {
        int64_t carry = 0;
        for (int axis = 2; axis > 0; --axis) {
            at[axis] += step.at[axis] + carry;
            carry = at[axis] >= axes[axis].out ? 1 : 0;
            at[axis] -= carry * axes[axis].out;
        }
        at[0] += step.at[0] + carry;
    }
};

template <class X> struct FilterOfOnes {
    using T = ComputeType<X>;
    static constexpr int threads = 128;
    static constexpr int kPlaces = 16; // of the kernel, at a time
    static constexpr int kSums = kPlaces + 1;
    static constexpr int kNeighbours = 8; // threads whose sums are added first
    static constexpr int kGroups = threads / kNeighbours;
    struct Shared {
        T thread_sum[kSums][threads + 1];
        T group_sum[kSums][kGroups];
        T interior[kGroups]; // of each plane
    };
    struct Sums {
        T place[kPlaces];
        T interior;
    };

    WindowAxis axes[3];
    const X *dy;
    int64_t planes; // [batch][channels]
    int64_t pitch;  // elements from one to the next
    T *out;         // [planes][places]
    int lanes;      // threads of a plane: a multiple of kNeighbours

    [[nodiscard]] XCONV_DEVICE int64_t places() const
    {
        return axes[0].kernel * axes[1].kernel * axes[2].kernel;
    }

    XCONV_DEVICE bool always_meets(const Point &m) const
    {
        return axes[0].always_meets(m.at[0]) && axes[1].always_meets(m.at[1]) &&
               axes[2].always_meets(m.at[2]);
    }
    XCONV_DEVICE bool meets(const Point &m, int64_t place) const
    {
        const int64_t line = place / axes[2].kernel;
        return axes[2].meets(m.at[2], place % axes[2].kernel) &&
               axes[1].meets(m.at[1], line % axes[1].kernel) &&
               axes[0].meets(m.at[0], line / axes[1].kernel);
    }

    /// A thread's part of a plane, against places from `first` on.
    XCONV_DEVICE Sums add(const X *plane, int lane, int64_t first) const
    {
        Sums sums{};
        const int64_t points = axes[0].out * axes[1].out * axes[2].out;
        const int64_t rest = places() - first;
        Point m = Point::of(lane, axes);
        const Point step = Point::of(lanes, axes);
        for (int64_t i = lane; i < points; i += lanes, m.advance(step, axes)) {
            if (always_meets(m)) {
                sums.interior += first == 0 ? number(plane[i]) : T(0);
                continue;
            }
            const T value = number(plane[i]);
            XCONV_UNROLL
            for (int k = 0; k < kPlaces; ++k) {
                if (k < rest && meets(m, first + k)) {
                    sums.place[k] += value;
                }
            }
        }
        return sums;
    }

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const int planes_here = threads / lanes;
        const int64_t first_plane = team.block().x * planes_here;
        for (int64_t first = 0; first < places(); first += kPlaces) {
            team.each([&](int thread) {
                const int64_t plane = first_plane + thread / lanes;
                const Sums mine =
                    plane < planes ? add(dy + plane * pitch, thread % lanes, first) : Sums{};
                XCONV_UNROLL
                for (int k = 0; k < kPlaces; ++k) {
                    shared.thread_sum[k][thread] = mine.place[k];
                }
                shared.thread_sum[kPlaces][thread] = mine.interior;
            });
            team.each([&](int thread) {
                for (int unit = thread; unit < kSums * kGroups; unit += threads) {
                    const int k = unit / kGroups;
                    const int group = unit % kGroups;
                    T sum = 0;
                    for (int i = 0; i < kNeighbours; ++i) {
                        sum += shared.thread_sum[k][group * kNeighbours + i];
                    }
                    shared.group_sum[k][group] = sum;
                }
            });
            if (first == 0) {
                team.each([&](int thread) {
                    if (thread < planes_here) {
                        shared.interior[thread] = plane_sum(shared, kPlaces, thread);
                    }
                });
            }
            team.each([&](int thread) {
                for (int unit = thread; unit < kPlaces * planes_here; unit += threads) {
                    const int k = unit % kPlaces;
                    const int plane = unit / kPlaces;
                    if (first + k < places() && first_plane + plane < planes) {
                        out[(first_plane + plane) * places() + first + k] =
                            shared.interior[plane] + plane_sum(shared, k, plane);
                    }
                }
            });
        }
    }

    XCONV_DEVICE T plane_sum(const Shared &shared, int k, int plane) const
    {
        const int groups = lanes / kNeighbours;
        T sum = 0;
        for (int i = 0; i < groups; ++i) {
            sum += shared.group_sum[k][plane * groups + i];
        }
        return sum;
    }
};

WindowAxis window_axis(const ConvGeometry &g, size_t axis)
{
    return {g.in[axis],     g.out[axis],      g.kernel[axis],
            g.stride[axis], g.dilation[axis], g.pad_begin[axis]};
}

} // namespace

void filter_of_ones(Stream stream, const ConvGeometry &geometry, const void *dy, void *sums)
{
    with_tensor_type(geometry.dtype, [&](auto tag) {
        using X = typename decltype(tag)::type;
        using Kernel = FilterOfOnes<X>;
        const int64_t points = geometry.out_points();
        const int lanes = points < 128 ? 8 : points < 2048 ? 32 : Kernel::threads;
        const int64_t planes = geometry.batch * geometry.out_channels;
        launch(
            Kernel{{window_axis(geometry, 0), window_axis(geometry, 1), window_axis(geometry, 2)},
                   static_cast<const X *>(dy),
                   planes,
                   geometry.y_channel,
                   static_cast<typename Kernel::T *>(sums),
                   lanes},
            {ceil_div(planes, Kernel::threads / lanes)}, stream);
    });
}

} // namespace xconv::cuda
