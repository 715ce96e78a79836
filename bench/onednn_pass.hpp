// oneDNN's descriptors behind one spelling for its 2.x and 3.x interfaces.
#pragma once

#include <dnnl.hpp>

#include "layer.hpp"

namespace bench {

/// The layout oneDNN is handed x, y and dy in.
enum class Layout {
    plain, // as the caller has them
    any    // whatever oneDNN likes best
};

dnnl::memory::desc plain_x(const Layer &layer);
dnnl::memory::desc plain_w(const Layer &layer);
dnnl::memory::desc plain_y(const Layer &layer);

dnnl::convolution_forward::primitive_desc forward_descriptor(const dnnl::engine &engine,
                                                             const Layer &layer, Layout layout);
dnnl::convolution_backward_weights::primitive_desc
filter_descriptor(const dnnl::engine &engine, const Layer &layer, Layout layout);

} // namespace bench
