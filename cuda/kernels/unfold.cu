#include "cuda/ops_unfold.hpp"

#include "cuda/kernels/index.hpp"
#include "cuda/launch.hpp"

namespace xconv::cuda {

namespace {

/// What both directions know of the geometry.
struct Window {
    Extents in, kernel, stride, dilation, pad, out;
    int64_t samples, channels;
    int64_t x_sample, x_channel;
    int64_t in_points, out_points;

    Window(const ConvGeometry &g, int64_t channels_)
        : in(extents(g.in)), kernel(extents(g.kernel)), stride(extents(g.stride)),
          dilation(extents(g.dilation)), pad(extents(g.pad_begin)), out(extents(g.out)),
          samples(g.batch), channels(channels_), x_sample(g.x_sample()), x_channel(g.x_channel),
          in_points(g.in_points()), out_points(g.out_points())
    {
    }
};

/// `part` is given a channel and one of `each` elements of it. Blocks have elements of
/// one channel at a time, and go on to others where a grid has no more.
template <class Part> struct EachOfChannels {
    static constexpr int threads = 256;
    using Shared = NoShared;
    Part part;
    int64_t channels;
    int64_t each;

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &) const
    {
        const int64_t chunks = (each + threads - 1) / threads;
        team.each([&](int thread) {
            for (int64_t block = team.block().x; block < channels * chunks;
                 block += team.blocks().x) {
                const Quotient at = divide(block, chunks);
                const int64_t element = at.remainder * threads + thread;
                if (element < each) {
                    part(at.quotient, element);
                }
            }
        });
    }
};

template <class Part>
void launch_channels(const Part &part, int64_t channels, int64_t each, Stream stream)
{
    using Kernel = EachOfChannels<Part>;
    launch(Kernel{part, channels, each},
           {std::min(channels * ceil_div(each, Kernel::threads), kMostBlocksX)}, stream);
}

/// A thread finds its place of the output once and then walks through the kernel:
/// the writes of neighbours lie side by side.
template <class T> struct Unfold {
    Window window;
    const T *x;
    T *matrix;

    XCONV_DEVICE void operator()(int64_t channel, int64_t column) const
    {
        const Window &g = window;
        const int64_t columns = g.samples * g.out_points;
        const Quotient sample = divide(column, g.out_points);
        const Extents place = place_of(sample.remainder, g.out);
        const T *from = x + sample.quotient * g.x_sample + channel * g.x_channel;
        T *to = matrix + channel * g.kernel.d * g.kernel.h * g.kernel.w * columns + column;
        for (int64_t kd = 0; kd < g.kernel.d; ++kd) {
            const int64_t d = place.d * g.stride.d + kd * g.dilation.d - g.pad.d;
            for (int64_t kh = 0; kh < g.kernel.h; ++kh) {
                const int64_t h = place.h * g.stride.h + kh * g.dilation.h - g.pad.h;
                const bool line = d >= 0 && d < g.in.d && h >= 0 && h < g.in.h;
                for (int64_t kw = 0; kw < g.kernel.w; ++kw, to += columns) {
                    const int64_t w = place.w * g.stride.w + kw * g.dilation.w - g.pad.w;
                    const bool real = line && w >= 0 && w < g.in.w;
                    *to = real ? from[(d * g.in.h + h) * g.in.w + w] : T(0);
                }
            }
        }
    }
};

/// The output that reads an input through one place of the kernel, if there is one.
struct Reader {
    bool there;
    int64_t out;
};
XCONV_DEVICE inline Reader reader(int64_t in, int64_t tap, int64_t stride, int64_t dilation,
                                  int64_t pad, int64_t outs)
{
    const int64_t offset = in + pad - tap * dilation;
    if (offset < 0) {
        return {false, 0};
    }
    if (stride == 1) {
        return {offset < outs, offset};
    }
    const Quotient at = divide(offset, stride);
    return {at.remainder == 0 && at.quotient < outs, at.quotient};
}

/// A thread gathers one element of x: nothing is added up by two threads, and the
/// order of the sum is that of the kernel's places.
template <class T> struct Fold {
    using Number = ComputeType<T>;
    Window window;
    const Number *matrix;
    T *x;

    XCONV_DEVICE void operator()(int64_t channel, int64_t element) const
    {
        const Quotient sample = divide(element, window.in_points);
        x[sample.quotient * window.x_sample + channel * window.x_channel + sample.remainder] =
            T(gathered(channel, sample.quotient, sample.remainder));
    }

    XCONV_DEVICE Number gathered(int64_t channel, int64_t sample, int64_t point) const
    {
        const Window &g = window;
        const Extents place = place_of(point, g.in);
        const int64_t columns = g.samples * g.out_points;
        const Number *from = matrix + channel * g.kernel.d * g.kernel.h * g.kernel.w * columns +
                             sample * g.out_points;
        Number sum = 0;
        for (int64_t kd = 0; kd < g.kernel.d; ++kd) {
            const Reader d = reader(place.d, kd, g.stride.d, g.dilation.d, g.pad.d, g.out.d);
            for (int64_t kh = 0; kh < g.kernel.h; ++kh) {
                const Reader h = reader(place.h, kh, g.stride.h, g.dilation.h, g.pad.h, g.out.h);
                for (int64_t kw = 0; kw < g.kernel.w; ++kw, from += columns) {
                    const Reader w =
                        reader(place.w, kw, g.stride.w, g.dilation.w, g.pad.w, g.out.w);
                    if (d.there && h.there && w.there) {
                        sum += from[(d.out * g.out.h + h.out) * g.out.w + w.out];
                    }
                }
            }
        }
        return sum;
    }
};

template <class T>
void unfold_bits(Stream stream, const Window &window, const void *x, void *matrix)
{
    launch_channels(Unfold<T>{window, static_cast<const T *>(x), static_cast<T *>(matrix)},
                    window.channels, window.samples * window.out_points, stream);
}

} // namespace

void unfold(Stream stream, const ConvGeometry &g, int64_t channels, const void *x, void *matrix)
{
    const Window window(g, channels);
    switch (element_bytes(g.dtype)) {
    case 8:
        return unfold_bits<uint64_t>(stream, window, x, matrix);
    case 4:
        return unfold_bits<uint32_t>(stream, window, x, matrix);
    default:
        return unfold_bits<uint16_t>(stream, window, x, matrix);
    }
}

void fold(Stream stream, const ConvGeometry &g, int64_t channels, const void *matrix, void *x)
{
    const Window window(g, channels);
    with_tensor_type(g.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        launch_channels(
            Fold<T>{window, static_cast<const ComputeType<T> *>(matrix), static_cast<T *>(x)},
            window.channels, window.samples * window.in_points, stream);
    });
}

} // namespace xconv::cuda
