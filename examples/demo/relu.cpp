#include "relu.hpp"

namespace demo {

// Both work in place: a convolution does not need its own output again.

Shared BitRelu::forward(Shared x, const Pass &pass)
{
    if (pass.training) {
        mask_ = runtime_.ledger.make(Kind::relu_mask, relu_.mask_bytes());
        relu_.forward(x->floats(), x->floats(), *mask_);
    }
    else
        relu_.forward(x->floats(), x->floats(), nullptr);
    return x;
}

Shared BitRelu::backward(Shared dy)
{
    relu_.backward(*mask_, dy->floats(), dy->floats());
    mask_.reset();
    return dy;
}

Shared PlainRelu::forward(Shared x, const Pass &pass)
{
    relu_.forward(x->floats(), x->floats(), nullptr);
    if (pass.training)
        output_ = x;
    return x;
}

Shared PlainRelu::backward(Shared dy)
{
    const float *y = output_->floats();
    float *gradient = dy->floats();
    // With the library's number of threads, to be a fair yardstick.
#pragma omp parallel for simd num_threads(threads_)
    for (int64_t i = 0; i < count_; ++i)
        gradient[i] = y[i] > 0 ? gradient[i] : 0;
    output_.reset();
    return dy;
}

} // namespace demo
