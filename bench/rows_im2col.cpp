// The exact filter gradient as frameworks without a convolution library do it:
// unroll patches of x into a matrix, then multiply it with dy.
#include "rows.hpp"

#include <algorithm>
#include <array>

#include <cblas.h>
#include <omp.h>

namespace bench {
namespace {

using Axes = std::array<int64_t, 3>;

/// {D, H, W}, with leading axes of `missing` below rank 3.
Axes embed(const int64_t (&axes)[3], int32_t rank, int64_t missing)
{
    Axes full{missing, missing, missing};
    std::copy_n(axes, rank, full.end() - rank);
    return full;
}

class Im2colGradient final : public Work {
  public:
    explicit Im2colGradient(Layer &layer)
        : layer_(layer), in_(embed(layer.conv.in_size, layer.conv.rank, 1)),
          out_(embed(layer.sizes.out, layer.conv.rank, 1)),
          kernel_(embed(layer.conv.kernel, layer.conv.rank, 1)),
          stride_(embed(layer.conv.stride, layer.conv.rank, 1)),
          dilation_(embed(layer.conv.dilation, layer.conv.rank, 1)),
          pad_(embed(layer.conv.pad_begin, layer.conv.rank, 0)),
          in_per_group_(layer.conv.in_channels / layer.conv.groups),
          out_per_group_(layer.conv.out_channels / layer.conv.groups),
          patch_(in_per_group_ * layer.sizes.kernel_points)
    {
        // A tile of the patch matrix that stays in a core's cache.
        constexpr int64_t kTileFloats = 1 << 18;
        const int64_t lines = out_[0] * out_[1];
        tile_lines_ = std::clamp<int64_t>(kTileFloats / (patch_ * out_[2]), 1, lines);
        tiles_ = (lines + tile_lines_ - 1) / tile_lines_;
        per_thread_ = (layer.sizes.w_bytes + 63) / 64 * 64 + patch_ * tile_lines_ * out_[2] * 4;
        label = "im2col in tiles, cblas_sgemm";
    }
    void prepare() override { scratch_ = layer_.scratch(per_thread_ * layer_.threads); }
    void run() override
    {
        const int64_t count = layer_.sizes.w_bytes / 4;
        auto *dw = layer_.dw.as<float>();
        std::fill_n(dw, count, 0.0f);
        const int64_t units = layer_.conv.batch * tiles_;
#pragma omp parallel num_threads(layer_.threads)
        {
            auto *mine = static_cast<float *>(
                static_cast<void *>(scratch_ + omp_get_thread_num() * per_thread_));
            std::fill_n(mine, count, 0.0f);
            float *patches = mine + (layer_.sizes.w_bytes + 63) / 64 * 16;
#pragma omp for schedule(static)
            for (int64_t unit = 0; unit < units; ++unit) {
                accumulate(unit / tiles_, unit % tiles_ * tile_lines_, patches, mine);
            }
#pragma omp critical(im2col_sum)
            std::transform(mine, mine + count, dw, dw, std::plus<>());
        }
    }

  private:
    /// dw += the part of one sample whose output lines start at `line`.
    void accumulate(int64_t sample, int64_t line, float *patches, float *dw) const
    {
        const int64_t lines = std::min(tile_lines_, out_[0] * out_[1] - line);
        const int64_t points = lines * out_[2];
        const int64_t out_points = layer_.sizes.out_points;
        for (int64_t g = 0; g < layer_.conv.groups; ++g) {
            unroll(sample * layer_.conv.in_channels + g * in_per_group_, line, lines, patches);
            const float *dy =
                layer_.dy.as<float>() +
                (sample * layer_.conv.out_channels + g * out_per_group_) * out_points +
                line * out_[2];
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(out_per_group_),
                        static_cast<int>(patch_), static_cast<int>(points), 1.0f, dy,
                        static_cast<int>(out_points), patches, static_cast<int>(points), 1.0f,
                        dw + g * out_per_group_ * patch_, static_cast<int>(patch_));
        }
    }

    /// patches[channel, kernel place][output point] of one group.
    void unroll(int64_t first_channel, int64_t line, int64_t lines, float *patches) const
    {
        for (int64_t c = 0; c < in_per_group_; ++c) {
            const float *image =
                layer_.x.as<float>() + (first_channel + c) * layer_.sizes.in_points;
            for (int64_t k = 0; k < layer_.sizes.kernel_points; ++k) {
                const Axes place{k / (kernel_[1] * kernel_[2]), k / kernel_[2] % kernel_[1],
                                 k % kernel_[2]};
                for (int64_t l = line; l < line + lines; ++l) {
                    const int64_t d = l / out_[1] * stride_[0] - pad_[0] + place[0] * dilation_[0];
                    const int64_t h = l % out_[1] * stride_[1] - pad_[1] + place[1] * dilation_[1];
                    const bool inside = d >= 0 && d < in_[0] && h >= 0 && h < in_[1];
                    const float *from = inside ? image + (d * in_[1] + h) * in_[2] : nullptr;
                    unroll_line(from, place[2] * dilation_[2] - pad_[2], patches);
                    patches += out_[2];
                }
            }
        }
    }

    /// to[i] = from[i * stride + shift] where that exists, 0 elsewhere.
    void unroll_line(const float *from, int64_t shift, float *to) const
    {
        const int64_t s = stride_[2];
        const int64_t begin = std::clamp<int64_t>((s - 1 - shift) / s, 0, out_[2]);
        const int64_t end = std::clamp<int64_t>((in_[2] - shift + s - 1) / s, begin, out_[2]);
        if (from == nullptr) {
            std::fill_n(to, out_[2], 0.0f);
            return;
        }
        std::fill_n(to, begin, 0.0f);
        for (int64_t i = begin; i < end; ++i) {
            to[i] = from[i * s + shift];
        }
        std::fill(to + end, to + out_[2], 0.0f);
    }

    Layer &layer_;
    Axes in_, out_, kernel_, stride_, dilation_, pad_;
    int64_t in_per_group_;
    int64_t out_per_group_;
    int64_t patch_; // numbers that one output point sees in its group
    int64_t tile_lines_ = 1;
    int64_t tiles_ = 1;
    int64_t per_thread_ = 0;
    std::byte *scratch_ = nullptr;
};

} // namespace

std::vector<Row> im2col_rows(const Case &which)
{
    if ((which.rows & kInfo) == 0) {
        return {};
    }
    Row row;
    row.name = "im2col_blas/filter";
    row.make = [](Layer &layer) { return std::make_unique<Im2colGradient>(layer); };
    row.exact_gradient = true;
    return {row};
}

} // namespace bench
