#include "maxpool.hpp"

namespace demo {
namespace {

size_t float_bytes(int64_t planes, int64_t height, int64_t width)
{
    return static_cast<size_t>(planes * height * width) * sizeof(float);
}

} // namespace

MaxPool::MaxPool(Runtime &runtime, int64_t batch, int64_t channels, int64_t height, int64_t width)
    : runtime_(runtime), pool_(runtime.context, xconv::Pool()
                                                    .batch(batch)
                                                    .channels(channels)
                                                    .in_size({height, width})
                                                    .kernel(2)
                                                    .stride(2)),
      x_bytes_(float_bytes(batch * channels, height, width)),
      y_bytes_(float_bytes(batch * channels, out_height(), out_width()))
{
}

Shared MaxPool::forward(Shared x, const Pass &pass)
{
    Shared y = runtime_.ledger.make(Kind::activation, y_bytes_);
    if (pass.training) {
        index_ = runtime_.ledger.make(Kind::pool_index, pool_.index_bytes());
        pool_.forward(x->floats(), y->floats(), *index_);
    }
    else
        pool_.forward(x->floats(), y->floats(), nullptr);
    return y;
}

Shared MaxPool::backward(Shared dy)
{
    Shared dx = runtime_.ledger.make(Kind::activation, x_bytes_);
    pool_.backward(*index_, dy->floats(), dx->floats());
    index_.reset();
    return dx;
}

} // namespace demo
