// The filter gradient when x holds only +1 and -1, as probes do, on processors
// that multiply bfloat16 matrices (AMX) several times faster than Float32.
//
// Signs are exact in bfloat16, and a Float32 is exactly the sum of three
// bfloat16: its 24 significant bits, 8 at a time. So dy is split in three, the
// batch becomes three times as long, and every product is what Float32 gives;
// sums are Float32 as always.
#include <omp.h>

#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "cpu/conv_onednn.hpp"
#include "cpu/onednn_filter.hpp"

namespace xconv::cpu {

using namespace onednn;

namespace {

using Type = dnnl::memory::data_type;

constexpr int64_t kPieces = 3;
// With fewer channels the kernel's tiles stay half empty.
constexpr int64_t kLeastChannels = 16;

/// The leading 8 significant bits, as a bfloat16 and as a Float32. Cutting, not
/// rounding, leaves a rest that the next pieces hold exactly.
struct Piece {
    uint16_t bits;
    float value;
};
inline Piece leading_piece(float value)
{
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    return {static_cast<uint16_t>(bits >> 16U), std::bit_cast<float>(bits & 0xFFFF0000U)};
}

/// pieces[0] + pieces[1] + pieces[2] = values, each `stride` elements long.
void split(const float *values, int64_t count, uint16_t *pieces, int64_t stride)
{
    for (int64_t i = 0; i < count; ++i) {
        const Piece high = leading_piece(values[i]);
        const Piece middle = leading_piece(values[i] - high.value);
        const Piece low = leading_piece(values[i] - high.value - middle.value);
        pieces[i] = high.bits;
        pieces[stride + i] = middle.bits;
        pieces[2 * stride + i] = low.bits;
    }
}

struct SignStage {
    static constexpr Direction direction = Direction::backward_filter;

    Relayout x, dy, assign_dw, add_dw;
    MemoryDesc src, weights, diff_dst, scratchpad;
    dnnl::convolution_backward_weights kernel;
    std::string name;
    int64_t x_count = 0; // elements of a chunk of x, and of dy
    int64_t y_count = 0;

    static std::optional<SignStage> make(const dnnl::engine &engine, const ConvGeometry &g,
                                         const ConvLayouts &given)
    {
        const ConvShape chunk = conv_shape(g);
        const ConvShape shape = conv_shape(g.with_batch(kPieces * g.batch));
        const MemoryDesc any_filter(shape.weights, Type::bf16, dnnl::memory::format_tag::any);
        ConvLayouts layouts{channels_last(shape.src, Type::bf16), any_filter, given.bias,
                            channels_last(shape.dst, Type::bf16)};
        const auto hint = forward_desc(engine, shape, layouts, user_scratchpad());
        if (!hint) {
            return std::nullopt;
        }
        layouts.weights = given.weights; // the gradient, in Float32
        const auto desc = filter_desc(engine, shape, layouts, user_scratchpad(), hint);
        if (!desc || std::string_view(desc.impl_info_str()).find("amx") == std::string_view::npos) {
            return std::nullopt;
        }
        SignStage s;
        s.src = desc.src_desc();
        s.weights = desc.diff_weights_desc();
        s.diff_dst = desc.diff_dst_desc();
        s.scratchpad = desc.scratchpad_desc();
        s.x =
            Relayout(engine, rows_of(chunk.src, g.x_channel), channels_last(chunk.src, Type::bf16));
        s.dy = Relayout(engine, rows_of(chunk.dst, g.y_channel),
                        channels_last(chunk.dst, Type::f32), Relayout::Mode::copy);
        s.assign_dw = Relayout(engine, s.weights, plain(shape.weights), Relayout::Mode::copy);
        s.add_dw = Relayout(engine, s.weights, plain(shape.weights), Relayout::Mode::add);
        s.kernel = dnnl::convolution_backward_weights(desc);
        s.name = std::string(desc.impl_info_str()) + " on signs";
        s.x_count = g.batch * g.in_channels * g.in_points();
        s.y_count = g.batch * g.out_channels * g.out_points();
        return s;
    }

    [[nodiscard]] Sizes sizes(bool several) const
    {
        Sizes sizes;
        sizes.x = Relayout::size(src);
        sizes.y = piece_bytes() + y_count * element_bytes(Dtype::f32);
        sizes.sum = Relayout::size(weights);
        sizes.part = several ? sizes.sum : 0;
        sizes.scratch = std::max({Relayout::size(scratchpad), x.scratch(), dy.scratch(),
                                  assign_dw.scratch(), add_dw.scratch()});
        return sizes;
    }

    [[nodiscard]] int64_t filter_count() const
    {
        return Relayout::size(weights) / element_bytes(Dtype::f32);
    }

    /// Where lane.y holds the pieces of dy; dy in the kernel's order lies behind.
    [[nodiscard]] int64_t piece_bytes() const
    {
        return round_up(Relayout::size(diff_dst), kAlignment);
    }

    void run(const Call &call, const Lane &lane, const float *x_in, const float *dy_in,
             float *dw) const
    {
        auto *signs = static_cast<uint16_t *>(lane.x);
        auto *pieces = static_cast<uint16_t *>(lane.y);
        auto *turned = static_cast<float *>(
            static_cast<void *>(static_cast<std::byte *>(lane.y) + piece_bytes()));
        x(call, x_in, signs);
        for (int64_t piece = 1; piece < kPieces; ++piece) {
            std::copy_n(signs, x_count, signs + piece * x_count);
        }
        dy(call, dy_in, turned);
        constexpr int64_t block = 16 * 1024;
        parallel_for(omp_get_max_threads(), ceil_div(y_count, block), [&](int64_t i) {
            split(turned + i * block, std::min(block, y_count - i * block), pieces + i * block,
                  y_count);
        });
        kernel.execute(call.stream, {{DNNL_ARG_SRC, call.memory(src, signs)},
                                     {DNNL_ARG_DIFF_WEIGHTS, call.memory(weights, dw)},
                                     {DNNL_ARG_DIFF_DST, call.memory(diff_dst, pieces)},
                                     {DNNL_ARG_SCRATCHPAD, call.memory(scratchpad, lane.scratch)}});
    }
};

} // namespace

std::unique_ptr<FilterPass> make_onednn_sign_filter(const ConvGeometry &g, int64_t workspace_limit,
                                                    int threads)
{
    if (g.groups != 1 || std::min(g.in_channels, g.out_channels) < kLeastChannels) {
        return nullptr;
    }
    return make_pass<OnednnFilter<SignStage>, SignStage>(g, workspace_limit, threads);
}

} // namespace xconv::cpu
