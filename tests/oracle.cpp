#include "oracle.hpp"

#include <cmath>
#include <sstream>

namespace oracle {

namespace {

std::string join(const Axes &axes, int rank)
{
    std::ostringstream text;
    for (int axis = 3 - rank; axis < 3; ++axis) {
        text << (axis > 3 - rank ? "x" : "") << axes[static_cast<size_t>(axis)];
    }
    return text.str();
}

int64_t offset(const Axes &size, int64_t d, int64_t h, int64_t w)
{
    return (d * size[1] + h) * size[2] + w;
}

bool inside(const Axes &size, int64_t d, int64_t h, int64_t w)
{
    return d >= 0 && d < size[0] && h >= 0 && h < size[1] && w >= 0 && w < size[2];
}

/// Call visit(i, j, k) for every place of a block of the given size.
template <class Visit> void each_place(const Axes &size, const Visit &visit)
{
    for (int64_t d = 0; d < size[0]; ++d) {
        for (int64_t h = 0; h < size[1]; ++h) {
            for (int64_t w = 0; w < size[2]; ++w) {
                visit(d, h, w);
            }
        }
    }
}

/// For one pair of channel planes: visit(place in x, place in w, place in y) of
/// every product that a convolution adds up.
template <class Visit> void each_tap(const Conv &conv, const Visit &visit)
{
    const Axes out = conv.out();
    each_place(out, [&](int64_t od, int64_t oh, int64_t ow) {
        each_place(conv.kernel, [&](int64_t kd, int64_t kh, int64_t kw) {
            const int64_t d = od * conv.stride[0] + kd * conv.dilation[0] - conv.pad_begin[0];
            const int64_t h = oh * conv.stride[1] + kh * conv.dilation[1] - conv.pad_begin[1];
            const int64_t w = ow * conv.stride[2] + kw * conv.dilation[2] - conv.pad_begin[2];
            if (!inside(conv.in, d, h, w)) {
                return; // padding: a zero
            }
            const int64_t tap = offset(conv.kernel, kd, kh, kw);
            const int64_t mirrored = product(conv.kernel) - 1 - tap;
            visit(offset(conv.in, d, h, w), conv.flip ? mirrored : tap, offset(out, od, oh, ow));
        });
    });
}

/// visit(index in x, index in w, index in y) of every product of the layer.
template <class Visit> void each_product(const Conv &conv, const Visit &visit)
{
    const int64_t in_per_group = conv.in_channels / conv.groups;
    const int64_t out_per_group = conv.out_channels / conv.groups;
    for (int64_t b = 0; b < conv.batch; ++b) {
        for (int64_t co = 0; co < conv.out_channels; ++co) {
            for (int64_t c = 0; c < in_per_group; ++c) {
                const int64_t ci = co / out_per_group * in_per_group + c;
                const int64_t x0 = (b * conv.in_channels + ci) * product(conv.in);
                const int64_t w0 = (co * in_per_group + c) * product(conv.kernel);
                const int64_t y0 = (b * conv.out_channels + co) * product(conv.out());
                each_tap(conv, [&](int64_t x, int64_t w, int64_t y) {
                    visit(static_cast<size_t>(x0 + x), static_cast<size_t>(w0 + w),
                          static_cast<size_t>(y0 + y));
                });
            }
        }
    }
}

Tensor zeros(int64_t count) { return Tensor(static_cast<size_t>(count), 0.0); }

Axes places(const Axes &in, const Axes &extent, const Axes &stride, const Axes &begin,
            const Axes &end)
{
    Axes out{};
    for (size_t axis = 0; axis < 3; ++axis) {
        const int64_t room = in[axis] + begin[axis] + end[axis] - extent[axis];
        out[axis] = room < 0 ? 0 : room / stride[axis] + 1;
    }
    return out;
}

} // namespace

int64_t product(const Axes &axes) { return axes[0] * axes[1] * axes[2]; }

Axes Conv::out() const
{
    Axes extent{};
    for (size_t axis = 0; axis < 3; ++axis) {
        extent[axis] = dilation[axis] * (kernel[axis] - 1) + 1;
    }
    return places(in, extent, stride, pad_begin, pad_end);
}

std::string Conv::describe() const
{
    std::ostringstream text;
    text << "conv" << rank << "d batch " << batch << " channels " << in_channels << "->"
         << out_channels << " groups " << groups << " in " << join(in, rank) << " kernel "
         << join(kernel, rank) << " stride " << join(stride, rank) << " dilation "
         << join(dilation, rank) << " pad " << join(pad_begin, rank) << ".." << join(pad_end, rank)
         << (flip ? " flipped" : "");
    return text.str();
}

Tensor forward(const Conv &conv, const Tensor &x, const Tensor &w, const Tensor &bias)
{
    Tensor y = zeros(conv.y_count());
    each_product(conv, [&](size_t xi, size_t wi, size_t yi) { y[yi] += x[xi] * w[wi]; });
    if (!bias.empty()) {
        const int64_t points = product(conv.out());
        for (int64_t i = 0; i < conv.y_count(); ++i) {
            y[static_cast<size_t>(i)] += bias[static_cast<size_t>(i / points % conv.out_channels)];
        }
    }
    return y;
}

Tensor backward_data(const Conv &conv, const Tensor &w, const Tensor &dy)
{
    Tensor dx = zeros(conv.x_count());
    each_product(conv, [&](size_t xi, size_t wi, size_t yi) { dx[xi] += w[wi] * dy[yi]; });
    return dx;
}

Tensor backward_filter(const Conv &conv, const Tensor &x, const Tensor &dy)
{
    Tensor dw = zeros(conv.w_count());
    each_product(conv, [&](size_t xi, size_t wi, size_t yi) { dw[wi] += x[xi] * dy[yi]; });
    return dw;
}

Tensor backward_bias(const Conv &conv, const Tensor &dy)
{
    Tensor db = zeros(conv.out_channels);
    const int64_t points = product(conv.out());
    for (int64_t i = 0; i < conv.y_count(); ++i) {
        db[static_cast<size_t>(i / points % conv.out_channels)] += dy[static_cast<size_t>(i)];
    }
    return db;
}

double relu(double x, double negative_slope, double ceiling)
{
    if (std::isnan(x)) {
        return x;
    }
    if (x > ceiling) {
        return ceiling;
    }
    return x > 0 ? x : negative_slope * x;
}

double relu_derivative(double x, double negative_slope, double ceiling)
{
    if (std::isnan(x)) {
        return 1;
    }
    if (x > ceiling) {
        return 0;
    }
    return x > 0 ? 1 : negative_slope;
}

Axes Pool::out() const { return places(in, kernel, stride, pad_begin, pad_end); }

std::string Pool::describe() const
{
    std::ostringstream text;
    text << "maxpool" << rank << "d batch " << batch << " channels " << channels << " in "
         << join(in, rank) << " kernel " << join(kernel, rank) << " stride " << join(stride, rank)
         << " pad " << join(pad_begin, rank) << ".." << join(pad_end, rank);
    return text.str();
}

Pooled maxpool(const Pool &pool, const Tensor &x)
{
    Pooled result;
    for (int64_t plane = 0; plane < pool.batch * pool.channels; ++plane) {
        each_place(pool.out(), [&](int64_t od, int64_t oh, int64_t ow) {
            int64_t best = -1;
            each_place(pool.kernel, [&](int64_t kd, int64_t kh, int64_t kw) {
                const int64_t d = od * pool.stride[0] + kd - pool.pad_begin[0];
                const int64_t h = oh * pool.stride[1] + kh - pool.pad_begin[1];
                const int64_t w = ow * pool.stride[2] + kw - pool.pad_begin[2];
                if (!inside(pool.in, d, h, w)) {
                    return;
                }
                const int64_t at = plane * product(pool.in) + offset(pool.in, d, h, w);
                const double value = x[static_cast<size_t>(at)];
                if (best < 0) {
                    best = at;
                    return;
                }
                const double leader = x[static_cast<size_t>(best)];
                if (!std::isnan(leader) && (value > leader || std::isnan(value))) {
                    best = at;
                }
            });
            result.y.push_back(x[static_cast<size_t>(best)]);
            result.winner.push_back(best);
        });
    }
    return result;
}

Tensor maxpool_backward(const Pool &pool, const std::vector<int64_t> &winner, const Tensor &dy)
{
    Tensor dx = zeros(pool.x_count());
    for (size_t i = 0; i < dy.size(); ++i) {
        dx[static_cast<size_t>(winner[i])] += dy[i];
    }
    return dx;
}

} // namespace oracle
