#include "cpu/deflation.hpp"

#include <algorithm>

#include "checked.hpp"
#include "cpu/parallel.hpp"
#include "cpu/sum.hpp"

namespace xconv::cpu {

namespace {

/// Outputs [first, last) of an axis at which place k of the kernel meets x.
struct Meeting {
    int64_t first;
    int64_t last;
};

Meeting meeting(const ConvGeometry &g, size_t axis, int64_t k)
{
    // 0 <= stride * m + shift < in
    const int64_t shift = g.dilation[axis] * k - g.pad_begin[axis];
    const int64_t first = shift >= 0 ? 0 : ceil_div(-shift, g.stride[axis]);
    const int64_t last = g.in[axis] > shift ? ceil_div(g.in[axis] - shift, g.stride[axis]) : 0;
    return {std::min(first, g.out[axis]), std::min(last, g.out[axis])};
}

} // namespace

void row_means(Dtype dtype, ConstMatrix x, void *means, int threads)
{
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const int used =
            threads_worth(static_cast<double>(x.rows) * static_cast<double>(x.cols), threads);
        parallel_for(used, x.rows, [&](int64_t i) {
            const In *row = static_cast<const In *>(x.data) + i * x.stride;
            static_cast<T *>(means)[i] =
                static_cast<T>(sum_of(row, x.cols) / static_cast<double>(x.cols));
        });
    });
}

void filter_of_ones(const ConvGeometry &g, const void *dy, void *sums, int threads)
{
    with_tensor_type(g.dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const int64_t planes = g.batch * g.out_channels;
        parallel_for(threads, planes, [&](int64_t plane) {
            const In *from = static_cast<const In *>(dy) + plane * g.y_channel;
            T *to = static_cast<T *>(sums) + plane * g.kernel_points();
            for (int64_t kd = 0; kd < g.kernel[0]; ++kd) {
                for (int64_t kh = 0; kh < g.kernel[1]; ++kh) {
                    for (int64_t kw = 0; kw < g.kernel[2]; ++kw) {
                        const Meeting d = meeting(g, 0, kd);
                        const Meeting h = meeting(g, 1, kh);
                        const Meeting w = meeting(g, 2, kw);
                        double sum = 0;
                        for (int64_t i = d.first; i < d.last; ++i) {
                            for (int64_t j = h.first; j < h.last; ++j) {
                                const In *line = from + (i * g.out[1] + j) * g.out[2];
                                sum += sum_of(line + w.first, w.last - w.first);
                            }
                        }
                        *to++ = static_cast<T>(sum);
                    }
                }
            }
        });
    });
}

} // namespace xconv::cpu
