// Primitive descriptors of oneDNN 2.x and 3.x behind one set of functions: 3.x
// took away the operation descriptors of 2.x.
#pragma once

#include <dnnl.hpp>

namespace xconv::cpu::onednn {

using MemoryDesc = dnnl::memory::desc;

/// A convolution as oneDNN writes it.
struct ConvShape {
    dnnl::memory::dims src, weights, bias, dst;
    dnnl::memory::dims strides, dilates, pad_begin, pad_end;
};

/// Layouts of its tensors; format_tag::any leaves the choice to oneDNN.
struct ConvLayouts {
    MemoryDesc src, weights, bias, dst;
};

using ForwardDesc = dnnl::convolution_forward::primitive_desc;
using DataDesc = dnnl::convolution_backward_data::primitive_desc;
using FilterDesc = dnnl::convolution_backward_weights::primitive_desc;

// Winograd is left out on purpose: it rounds worse, and not at all to integers.
inline constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;

// The three `..._desc` return an empty descriptor when there is no implementation.
#if DNNL_VERSION_MAJOR >= 3

inline dnnl::memory::data_type type_of(const MemoryDesc &desc) { return desc.get_data_type(); }

inline ForwardDesc forward_desc(const dnnl::engine &engine, const ConvShape &c,
                                const ConvLayouts &l, const dnnl::primitive_attr &attr)
{
    return {engine,     dnnl::prop_kind::forward_training,
            kAlgorithm, l.src,
            l.weights,  l.bias,
            l.dst,      c.strides,
            c.dilates,  c.pad_begin,
            c.pad_end,  attr,
            true};
}

inline DataDesc data_desc(const dnnl::engine &engine, const ConvShape &c, const ConvLayouts &l,
                          const dnnl::primitive_attr &attr, const ForwardDesc &hint)
{
    return {engine,    kAlgorithm,  l.src,     l.weights, l.dst, c.strides,
            c.dilates, c.pad_begin, c.pad_end, hint,      attr,  true};
}

inline FilterDesc filter_desc(const dnnl::engine &engine, const ConvShape &c, const ConvLayouts &l,
                              const dnnl::primitive_attr &attr, const ForwardDesc &hint)
{
    return {engine,    kAlgorithm,  l.src,     l.weights, l.dst, c.strides,
            c.dilates, c.pad_begin, c.pad_end, hint,      attr,  true};
}

#else

inline dnnl::memory::data_type type_of(const MemoryDesc &desc) { return desc.data_type(); }

inline ForwardDesc forward_desc(const dnnl::engine &engine, const ConvShape &c,
                                const ConvLayouts &l, const dnnl::primitive_attr &attr)
{
    const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_training, kAlgorithm, l.src,
                                               l.weights, l.bias, l.dst, c.strides, c.dilates,
                                               c.pad_begin, c.pad_end);
    return {desc, attr, engine, true};
}

inline DataDesc data_desc(const dnnl::engine &engine, const ConvShape &c, const ConvLayouts &l,
                          const dnnl::primitive_attr &attr, const ForwardDesc &hint)
{
    const dnnl::convolution_backward_data::desc desc(kAlgorithm, l.src, l.weights, l.dst, c.strides,
                                                     c.dilates, c.pad_begin, c.pad_end);
    return {desc, attr, engine, hint, true};
}

inline FilterDesc filter_desc(const dnnl::engine &engine, const ConvShape &c, const ConvLayouts &l,
                              const dnnl::primitive_attr &attr, const ForwardDesc &hint)
{
    const dnnl::convolution_backward_weights::desc desc(
        kAlgorithm, l.src, l.weights, l.dst, c.strides, c.dilates, c.pad_begin, c.pad_end);
    return {desc, attr, engine, hint, true};
}

#endif

} // namespace xconv::cpu::onednn
