#include "layer.hpp"

#include <algorithm>
#include <new>

namespace bench {
namespace {

constexpr int64_t kLine = 64;

/// Uniform on [-1, 1), a function of the index and of `salt`.
void fill(const Buffer &buffer, uint64_t salt, int threads)
{
    auto *data = buffer.as<float>();
    const int64_t count = buffer.bytes() / static_cast<int64_t>(sizeof(float));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < count; ++i) {
        uint64_t h = (static_cast<uint64_t>(i) + salt) * 0x9e3779b97f4a7c15u;
        h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
        data[i] = static_cast<float>(h >> 40) * 0x1p-23f - 1.0f;
    }
}

int64_t float_bytes(int64_t count) { return count * static_cast<int64_t>(sizeof(float)); }

} // namespace

Buffer::Buffer(int64_t bytes) : bytes_(bytes)
{
    const auto rounded =
        static_cast<size_t>((std::max<int64_t>(bytes, 1) + kLine - 1) / kLine * kLine);
    data_.reset(static_cast<std::byte *>(std::aligned_alloc(kLine, rounded)));
    if (!data_) {
        throw std::bad_alloc();
    }
}

Sizes::Sizes(const xconv_conv_desc &conv)
{
    for (int32_t i = 0; i < conv.rank; ++i) {
        const int64_t extent = conv.dilation[i] * (conv.kernel[i] - 1) + 1;
        out[i] =
            (conv.in_size[i] + conv.pad_begin[i] + conv.pad_end[i] - extent) / conv.stride[i] + 1;
        in_points *= conv.in_size[i];
        out_points *= out[i];
        kernel_points *= conv.kernel[i];
    }
    x_bytes = float_bytes(conv.batch * conv.in_channels * in_points);
    y_bytes = float_bytes(conv.batch * conv.out_channels * out_points);
    w_bytes = float_bytes(conv.out_channels * (conv.in_channels / conv.groups) * kernel_points);
}

Layer::Layer(const xconv_conv_desc &desc, int thread_count)
    : conv(desc), sizes(desc), threads(thread_count), x(sizes.x_bytes), w(sizes.w_bytes),
      dy(sizes.y_bytes), dw(sizes.w_bytes)
{
    fill(x, 1, threads);
    fill(w, 2, threads);
    fill(dy, 3, threads);
    std::fill_n(dw.data(), dw.bytes(), std::byte{0});
}

std::byte *Layer::scratch(int64_t bytes)
{
    if (scratch_.bytes() < bytes) {
        scratch_ = Buffer(); // let go before asking for more
        scratch_ = Buffer(bytes);
    }
    return scratch_.data();
}

} // namespace bench
