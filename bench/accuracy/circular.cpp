#include "circular.hpp"

namespace study {
namespace {

/// Sum over the places p of x[p + shift] dy[p], with p + shift taken modulo n.
double shifted_product(const float *x, const float *dy, int64_t n, int64_t shift)
{
    const int64_t first = ((shift % n) + n) % n;
    double sum = 0;
    for (int64_t p = 0; p < n - first; ++p)
        sum += static_cast<double>(x[p + first] * dy[p]);
    for (int64_t p = n - first; p < n; ++p)
        sum += static_cast<double>(x[p + first - n] * dy[p]);
    return sum;
}

} // namespace

std::vector<float> circular_filter_gradient(const demo::Conv::Shape &shape, const float *x,
                                            const float *dy)
{
    const int64_t n = shape.height * shape.width;
    std::vector<float> dw;
    for (int64_t co = 0; co < shape.out_channels; ++co)
        for (int64_t ci = 0; ci < shape.in_channels; ++ci)
            for (int64_t kh = 0; kh < shape.kernel_height; ++kh)
                for (int64_t kw = 0; kw < shape.kernel_width; ++kw) {
                    const int64_t shift = (kh - shape.pad) * shape.width + kw - shape.pad;
                    double sum = 0;
                    for (int64_t b = 0; b < shape.batch; ++b)
                        sum += shifted_product(x + (b * shape.in_channels + ci) * n,
                                               dy + (b * shape.out_channels + co) * n, n, shift);
                    dw.push_back(static_cast<float>(sum));
                }
    return dw;
}

} // namespace study
