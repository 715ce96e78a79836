#include "cuda/kernels/index.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_companions.hpp"

namespace xconv::cuda {

namespace {

struct Pool {
    Extents in, kernel, stride, pad, out;
    int64_t in_points, out_points, out_count;
    int bits;

    explicit Pool(const PoolGeometry &g)
        : in(extents(g.in)), kernel(extents(g.kernel)), stride(extents(g.stride)),
          pad(extents(g.pad_begin)), out(extents(g.out)), in_points(g.in_points()),
          out_points(g.out_points()), out_count(g.out_count()), bits(g.index_bits)
    {
    }
};

/// The places of an axis of the kernel that meet real elements.
struct Taps {
    int64_t first, last;
};
XCONV_DEVICE inline Taps taps_at(int64_t start, int64_t kernel, int64_t in)
{
    return {start < 0 ? -start : 0, start + kernel > in ? in - start : kernel};
}

/// A thread has eight outputs, whose places are whole bytes of the index.
template <class T> struct MaxpoolForward {
    static constexpr int kOutputs = 8;
    using Number = ComputeType<T>;
    Pool pool;
    const T *x;
    T *y;
    uint8_t *index; // may be null

    XCONV_DEVICE void operator()(int64_t eight) const
    {
        const int64_t first = eight * kOutputs;
        uint8_t *to = index == nullptr ? nullptr : index + eight * pool.bits;
        uint64_t pending = 0;
        int held = 0;
        for (int j = 0; j < kOutputs && first + j < pool.out_count; ++j) {
            const uint64_t place = find(first + j);
            if (to == nullptr) {
                continue;
            }
            pending |= place << held;
            for (held += pool.bits; held >= 8; held -= 8) {
                *to++ = static_cast<uint8_t>(pending);
                pending >>= 8;
            }
        }
        if (to != nullptr && held > 0) {
            *to = static_cast<uint8_t>(pending);
        }
    }

    /// Writes the output; returns the winner's place in the window. NaN wins, and
    /// stays; else the first of equals.
    XCONV_DEVICE uint32_t find(int64_t output) const
    {
        const Quotient at = divide(output, pool.out_points);
        const Extents place = place_of(at.remainder, pool.out);
        const int64_t d0 = place.d * pool.stride.d - pool.pad.d;
        const int64_t h0 = place.h * pool.stride.h - pool.pad.h;
        const int64_t w0 = place.w * pool.stride.w - pool.pad.w;
        const Taps depth = taps_at(d0, pool.kernel.d, pool.in.d);
        const Taps height = taps_at(h0, pool.kernel.h, pool.in.h);
        const Taps width = taps_at(w0, pool.kernel.w, pool.in.w);
        const T *plane = x + at.quotient * pool.in_points;
        const auto value = [&](int64_t kd, int64_t kh, int64_t kw) {
            return static_cast<Number>(
                plane[((d0 + kd) * pool.in.h + h0 + kh) * pool.in.w + w0 + kw]);
        };
        const auto number = [&](int64_t kd, int64_t kh, int64_t kw) {
            return static_cast<uint32_t>((kd * pool.kernel.h + kh) * pool.kernel.w + kw);
        };
        Number best = value(depth.first, height.first, width.first);
        uint32_t winner = number(depth.first, height.first, width.first);
        for (int64_t kd = depth.first; kd < depth.last; ++kd) {
            for (int64_t kh = height.first; kh < height.last; ++kh) {
                for (int64_t kw = width.first; kw < width.last; ++kw) {
                    const Number here = value(kd, kh, kw);
                    if (best == best && !(here <= best)) {
                        best = here;
                        winner = number(kd, kh, kw);
                    }
                }
            }
        }
        y[output] = T(best);
        return winner;
    }
};

/// The number of `bits` bits that output i has in the index.
XCONV_DEVICE inline uint32_t read_place(const uint8_t *index, int64_t i, int bits)
{
    // i * bits may pass 64 bits only where the index itself would.
    const int64_t first = i * bits;
    const int64_t last = first + bits; // not included
    uint64_t word = 0;
    for (int64_t byte = first / 8; byte * 8 < last; ++byte) {
        word |= static_cast<uint64_t>(index[byte]) << (byte - first / 8) * 8;
    }
    return static_cast<uint32_t>(word >> (first % 8) & ((uint64_t{1} << bits) - 1));
}

/// Outputs of an axis whose window covers `in`.
struct Cover {
    int64_t first, last;
};
XCONV_DEVICE inline Cover cover(int64_t in, int64_t kernel, int64_t stride, int64_t pad,
                                int64_t outs)
{
    const int64_t padded = in + pad;
    const int64_t first = padded < kernel ? 0 : divide(padded - kernel, stride).quotient + 1;
    const int64_t last = divide(padded, stride).quotient + 1;
    return {first, last < outs ? last : outs};
}

/// A thread gathers one element of dx from the windows that cover it, in the order
/// of the outputs.
template <class T> struct MaxpoolBackward {
    using Number = ComputeType<T>;
    Pool pool;
    const uint8_t *index;
    const T *dy;
    T *dx;

    XCONV_DEVICE void operator()(int64_t i) const
    {
        const Quotient at = divide(i, pool.in_points);
        const Extents in = place_of(at.remainder, pool.in);
        const Cover d = cover(in.d, pool.kernel.d, pool.stride.d, pool.pad.d, pool.out.d);
        const Cover h = cover(in.h, pool.kernel.h, pool.stride.h, pool.pad.h, pool.out.h);
        const Cover w = cover(in.w, pool.kernel.w, pool.stride.w, pool.pad.w, pool.out.w);
        Number sum = 0;
        for (int64_t od = d.first; od < d.last; ++od) {
            const int64_t kd = in.d + pool.pad.d - od * pool.stride.d;
            for (int64_t oh = h.first; oh < h.last; ++oh) {
                const int64_t kh = in.h + pool.pad.h - oh * pool.stride.h;
                const int64_t line =
                    at.quotient * pool.out_points + (od * pool.out.h + oh) * pool.out.w;
                for (int64_t ow = w.first; ow < w.last; ++ow) {
                    const int64_t kw = in.w + pool.pad.w - ow * pool.stride.w;
                    const int64_t here = (kd * pool.kernel.h + kh) * pool.kernel.w + kw;
                    if (read_place(index, line + ow, pool.bits) == here) {
                        sum += static_cast<Number>(dy[line + ow]);
                    }
                }
            }
        }
        dx[i] = T(sum);
    }
};

} // namespace

void maxpool_forward(Stream stream, const PoolGeometry &g, const void *x, void *y, uint8_t *index)
{
    with_tensor_type(g.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using Kernel = MaxpoolForward<T>;
        launch_elements(Kernel{Pool(g), static_cast<const T *>(x), static_cast<T *>(y), index},
                        ceil_div(g.out_count(), Kernel::kOutputs), stream);
    });
}

void maxpool_backward(Stream stream, const PoolGeometry &g, const uint8_t *index, const void *dy,
                      void *dx)
{
    with_tensor_type(g.dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        launch_elements(
            MaxpoolBackward<T>{Pool(g), index, static_cast<const T *>(dy), static_cast<T *>(dx)},
            g.planes * g.in_points(), stream);
    });
}

} // namespace xconv::cuda
