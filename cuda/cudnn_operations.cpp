#include "cuda/cudnn_operations.hpp"

#include <algorithm>

namespace xconv::cuda::cudnn {

namespace {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" // of newer versions: see cudnn_graph.cpp
constexpr cudnnBackendAttributeName_t kGraphHandle = CUDNN_ATTR_OPERATIONGRAPH_HANDLE;
#pragma GCC diagnostic pop

/// The result of a convolution on its way to the bias.
constexpr int64_t kSum = 5;

cudnnDataType_t data_type(Dtype dtype)
{
    switch (dtype) {
    case Dtype::f64:
        return CUDNN_DATA_DOUBLE;
    case Dtype::f32:
        return CUDNN_DATA_FLOAT;
    case Dtype::f16:
        return CUDNN_DATA_HALF;
    default:
        return CUDNN_DATA_BFLOAT16;
    }
}

/// The last axes: cuDNN takes two or three.
std::vector<int64_t> spatial(const Axes &axes, int rank)
{
    return {axes.end() - std::max(rank, 2), axes.end()};
}

/// Dense planes `channel` elements apart, in samples of `channels` planes.
struct Planes {
    int64_t samples;
    int64_t channels;
    int64_t channel;
    Axes axes;
    int rank;
};

/// A `passing` tensor goes from one operation to the next and is never stored.
Descriptor make_tensor(int64_t id, Dtype dtype, const Planes &planes, bool passing = false)
{
    std::vector<int64_t> sizes = spatial(planes.axes, planes.rank);
    std::vector<int64_t> strides(sizes.size(), 1);
    for (std::size_t i = sizes.size() - 1; i > 0; --i) {
        strides[i - 1] = strides[i] * sizes[i];
    }
    sizes.insert(sizes.begin(), {planes.samples, planes.channels});
    strides.insert(strides.begin(), {planes.channels * planes.channel, planes.channel});
    Descriptor tensor(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    tensor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, data_type(dtype))
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, sizes)
        .set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides)
        .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id)
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, Convolution::kAlign);
    if (passing) {
        constexpr char yes = 1; // C's bool
        tensor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, yes);
    }
    tensor.finalize();
    return tensor;
}

Descriptor make_convolution(const ConvGeometry &g)
{
    Descriptor conv(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    conv.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE,
             data_type(compute_dtype(g.dtype)))
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION)
        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64,
             static_cast<int64_t>(std::max(g.rank, 2)))
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, spatial(g.pad_begin, g.rank))
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, spatial(g.pad_end, g.rank))
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, spatial(g.dilation, g.rank))
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, spatial(g.stride, g.rank))
        .finalize();
    return conv;
}

/// What the three operations call their parts.
struct Names {
    cudnnBackendDescriptorType_t operation;
    cudnnBackendAttributeName_t x, w, y, conv, alpha, beta;
};

constexpr Names names_of(Direction direction)
{
    switch (direction) {
    case Direction::backward_data:
        return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case Direction::backward_filter:
        return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
    default:
        return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    }
}

Descriptor make_convolve(Direction direction, Dtype dtype, const Descriptor &conv,
                         const Descriptor &x, const Descriptor &w, const Descriptor &y)
{
    const Names names = names_of(direction);
    Descriptor operation(names.operation);
    operation.set(names.x, x).set(names.w, w).set(names.y, y).set(names.conv, conv);
    if (dtype == Dtype::f64) {
        operation.set(names.alpha, CUDNN_TYPE_DOUBLE, 1.0).set(names.beta, CUDNN_TYPE_DOUBLE, 0.0);
    }
    else {
        operation.set(names.alpha, CUDNN_TYPE_FLOAT, 1.0F).set(names.beta, CUDNN_TYPE_FLOAT, 0.0F);
    }
    operation.finalize();
    return operation;
}

/// y = sum + bias; its parts join `parts`.
const Descriptor &make_add(Dtype dtype, const Descriptor &sum, const Descriptor &bias,
                           const Descriptor &y, std::deque<Descriptor> &parts)
{
    Descriptor &how = parts.emplace_back(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    how.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, CUDNN_POINTWISE_ADD)
        .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, data_type(compute_dtype(dtype)))
        .finalize();
    Descriptor &operation = parts.emplace_back(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    return operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, sum)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, bias)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y)
        .finalize();
}

} // namespace

Descriptor make_graph(const Handle &handle, const ConvGeometry &g, Direction direction,
                      Dtype result, std::deque<Descriptor> &parts)
{
    const auto tensor = [&](int64_t id, bool written, const Planes &planes) -> const Descriptor & {
        return parts.emplace_back(make_tensor(id, written ? result : g.dtype, planes));
    };
    const Planes outputs{g.batch, g.out_channels, g.y_channel, g.out, g.rank};
    const Planes kernels{g.out_channels, g.in_per_group(), g.kernel_points(), g.kernel, g.rank};
    const bool with_bias = direction == Direction::forward_bias;
    const Descriptor &x = tensor(kX, direction == Direction::backward_data,
                                 {g.batch, g.in_channels, g.x_channel, g.in, g.rank});
    const Descriptor &w = tensor(kW, direction == Direction::backward_filter, kernels);
    const Descriptor &y = tensor(kY, with_bias || direction == Direction::forward, outputs);
    const Descriptor &conv = parts.emplace_back(make_convolution(g));
    // What meets the bias is not rounded yet.
    const Descriptor &sum =
        with_bias ? parts.emplace_back(make_tensor(kSum, compute_dtype(g.dtype), outputs, true))
                  : y;
    const Descriptor &convolve =
        parts.emplace_back(make_convolve(direction, g.dtype, conv, x, w, sum));
    std::vector<cudnnBackendDescriptor_t> operations{convolve.get()};
    if (with_bias) {
        const Descriptor &bias = tensor(kBias, false, {1, g.out_channels, 1, {1, 1, 1}, g.rank});
        operations.push_back(make_add(g.dtype, sum, bias, y, parts).get());
    }
    Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    if (handle.described() == nullptr) {
        graph.set(kGraphHandle, CUDNN_TYPE_HANDLE, handle.get());
    }
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations).finalize();
    return graph;
}

} // namespace xconv::cuda::cudnn
