#include "onednn_pass.hpp"

#include <algorithm>
#include <array>

namespace bench {
namespace {

using dims = dnnl::memory::dims;
using desc = dnnl::memory::desc;
using tag = dnnl::memory::format_tag;

constexpr dnnl::algorithm kAlgorithm = dnnl::algorithm::convolution_direct;

desc row_major(const dims &sizes)
{
    constexpr std::array<tag, 7> kTags{tag::undef, tag::a,     tag::ab,    tag::abc,
                                       tag::abcd,  tag::abcde, tag::abcdef};
    return {sizes, dnnl::memory::data_type::f32, kTags.at(sizes.size())};
}

desc in_layout(const desc &plain, const dims &sizes, Layout layout)
{
    return layout == Layout::plain ? plain : desc(sizes, dnnl::memory::data_type::f32, tag::any);
}

dims with_axes(dims leading, const int64_t (&axes)[3], int32_t rank)
{
    leading.insert(leading.end(), axes, axes + rank);
    return leading;
}

dims x_dims(const Layer &layer)
{
    const xconv_conv_desc &conv = layer.conv;
    return with_axes({conv.batch, conv.in_channels}, conv.in_size, conv.rank);
}

dims y_dims(const Layer &layer)
{
    const xconv_conv_desc &conv = layer.conv;
    return with_axes({conv.batch, conv.out_channels}, layer.sizes.out, conv.rank);
}

dims w_dims(const Layer &layer)
{
    const xconv_conv_desc &conv = layer.conv;
    const dims leading = conv.groups == 1 ? dims{conv.out_channels, conv.in_channels}
                                          : dims{conv.groups, conv.out_channels / conv.groups,
                                                 conv.in_channels / conv.groups};
    return with_axes(leading, conv.kernel, conv.rank);
}

struct Window {
    explicit Window(const xconv_conv_desc &conv)
        : stride(with_axes({}, conv.stride, conv.rank)),
          dilation(with_axes({}, conv.dilation, conv.rank)),
          begin(with_axes({}, conv.pad_begin, conv.rank)),
          end(with_axes({}, conv.pad_end, conv.rank))
    {
        // oneDNN counts the elements skipped.
        std::for_each(dilation.begin(), dilation.end(), [](dnnl_dim_t &d) { --d; });
    }
    dims stride;
    dims dilation;
    dims begin;
    dims end;
};

dnnl::primitive_attr attributes()
{
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attr;
}

} // namespace

desc plain_x(const Layer &layer) { return row_major(x_dims(layer)); }
desc plain_w(const Layer &layer) { return row_major(w_dims(layer)); }
desc plain_y(const Layer &layer) { return row_major(y_dims(layer)); }

dnnl::convolution_forward::primitive_desc forward_descriptor(const dnnl::engine &engine,
                                                             const Layer &layer, Layout layout)
{
    const desc x = in_layout(plain_x(layer), x_dims(layer), layout);
    const desc w = in_layout(plain_w(layer), w_dims(layer), Layout::any);
    const desc y = in_layout(plain_y(layer), y_dims(layer), layout);
    const Window at(layer.conv);
    const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
    return {engine,    kind,        kAlgorithm, x,      w,           y,
            at.stride, at.dilation, at.begin,   at.end, attributes()};
#else
    const dnnl::convolution_forward::desc operation(kind, kAlgorithm, x, w, y, at.stride,
                                                    at.dilation, at.begin, at.end);
    return {operation, attributes(), engine};
#endif
}

dnnl::convolution_backward_weights::primitive_desc
filter_descriptor(const dnnl::engine &engine, const Layer &layer, Layout layout)
{
    const desc x = in_layout(plain_x(layer), x_dims(layer), layout);
    const desc w = in_layout(plain_w(layer), w_dims(layer), Layout::any);
    const desc y = in_layout(plain_y(layer), y_dims(layer), layout);
    const Window at(layer.conv);
    const auto hint = forward_descriptor(engine, layer, layout);
#if DNNL_VERSION_MAJOR >= 3
    return {engine,      kAlgorithm, x,      w,    y,           at.stride,
            at.dilation, at.begin,   at.end, hint, attributes()};
#else
    const dnnl::convolution_backward_weights::desc operation(kAlgorithm, x, w, y, at.stride,
                                                             at.dilation, at.begin, at.end);
    return {operation, attributes(), engine, hint};
#endif
}

} // namespace bench
