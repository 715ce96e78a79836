#include "cuda/device_backend.hpp"

#include "conv_banded.hpp"
#include "cuda/conv_im2col.hpp"
#include "cuda/ops_bias.hpp"
#include "cuda/ops_companions.hpp"
#include "cuda/ops_means.hpp"
#include "cuda/ops_moving.hpp"
#include "cuda/ops_packing.hpp"
#include "cuda/ops_probes.hpp"

namespace xconv::cuda {

std::unique_ptr<ForwardPass> DeviceBackend::forward(const ConvGeometry &g,
                                                    int64_t workspace_limit) const
{
    return banded_forward(g, workspace_limit, make_im2col_forward);
}

std::unique_ptr<DataPass> DeviceBackend::backward_data(const ConvGeometry &g,
                                                       int64_t workspace_limit) const
{
    return banded_data(g, workspace_limit, make_im2col_backward_data);
}

std::unique_ptr<FilterPass> DeviceBackend::backward_filter(const ConvGeometry &g,
                                                           int64_t workspace_limit) const
{
    return banded_filter(g, workspace_limit, make_im2col_backward_filter);
}

void DeviceBackend::backward_bias(const ConvGeometry &g, const void *dy, double beta,
                                  Dtype db_dtype, void *db) const
{
    static_assert(kBiasScratch <= kScratchBytes);
    cuda::backward_bias(stream_, g, dy, beta, db_dtype, db, scratch());
}

void DeviceBackend::project(Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
                            const ChannelMeans *means, void *workspace) const
{
    cuda::project(stream_, dtype, probes, x, out, workspace);
    if (means != nullptr) {
        channel_means(stream_, dtype, x, *means);
    }
}

int64_t DeviceBackend::project_workspace(Dtype dtype, int64_t rows, int64_t length, int64_t columns,
                                         int64_t /*channel*/) const
{
    return cuda::project_workspace(dtype, rows, length, columns);
}

void DeviceBackend::draw(Dtype compute, const Probes &probes, Runs rows, Matrix out) const
{
    cuda::draw(stream_, compute, probes, rows, out);
}

void DeviceBackend::expand(Dtype compute, const Probes &probes, Runs rows, ConstMatrix coefficients,
                           const RunConstants *constants, Matrix out) const
{
    cuda::expand(stream_, compute, probes, rows, coefficients, constants, out);
}

void DeviceBackend::probe_means(Dtype compute, const Probes &probes, Runs rows, Matrix means) const
{
    cuda::probe_means(stream_, compute, probes, rows, means);
}

void DeviceBackend::filter_of_ones(const ConvGeometry &g, const void *dy, void *sums) const
{
    cuda::filter_of_ones(stream_, g, dy, sums);
}

void DeviceBackend::pack(Dtype dtype, const Packing &packing, const Rounding &rounding,
                         const void *numbers, void *packed) const
{
    cuda::pack(stream_, dtype, packing, rounding, numbers, packed);
}

void DeviceBackend::unpack(Dtype compute, const Packing &packing, const void *packed, int64_t first,
                           int64_t offset, Runs places, Matrix out) const
{
    cuda::unpack(stream_, compute, packing, packed, first, offset, places, out);
}

void DeviceBackend::combine(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                            Matrix out) const
{
    cuda::combine(stream_, dtype, coefficients, in, columns, out);
}

void DeviceBackend::multiply(Dtype compute, double alpha, Operand a, Operand b, bool accumulate,
                             Matrix out) const
{
    blas().multiply({.dtype = compute,
                     .out_dtype = compute,
                     .rows = out.rows,
                     .cols = out.cols,
                     .inner = a.transposed ? a.matrix.rows : a.matrix.cols,
                     .alpha = alpha,
                     .a = {a.matrix.data, a.matrix.stride, a.transposed},
                     .b = {b.matrix.data, b.matrix.stride, b.transposed},
                     .accumulate = accumulate,
                     .out = out.data,
                     .out_stride = out.stride});
}

void DeviceBackend::transpose(Dtype compute, const void *in, int64_t a, int64_t b, int64_t c,
                              int64_t run, bool accumulate, void *out) const
{
    cuda::transpose(stream_, compute, in, a, b, c, run, accumulate, out);
}

void DeviceBackend::copy(const void *from, void *to, int64_t bytes) const
{
    cuda::copy(stream_, from, to, bytes);
}

void DeviceBackend::read(const void *from, void *to, int64_t bytes) const
{
    cuda::read(stream_, from, to, bytes);
}

void DeviceBackend::convert(Dtype from, ConstMatrix in, Runs columns, Dtype to, Matrix out) const
{
    cuda::convert(stream_, from, in, columns, to, out);
}

void DeviceBackend::finish_filter(Dtype compute, int64_t runs, int64_t kernel, bool flip,
                                  const void *sum, double scale, double beta, Dtype dw_dtype,
                                  void *dw) const
{
    cuda::finish_filter(stream_, compute, runs, kernel, flip, sum, scale, beta, dw_dtype, dw);
}

void DeviceBackend::mirror(Dtype dtype, const void *from, int64_t runs, int64_t kernel,
                           void *to) const
{
    cuda::mirror(stream_, dtype, from, runs, kernel, to);
}

void DeviceBackend::relu_forward(Dtype dtype, int64_t count, double negative_slope, double ceiling,
                                 const void *x, void *y, uint8_t *mask) const
{
    cuda::relu_forward(stream_, dtype, count, negative_slope, ceiling, x, y, mask);
}

void DeviceBackend::relu_backward(Dtype dtype, int64_t count, double negative_slope,
                                  const uint8_t *mask, const void *dy, void *dx) const
{
    cuda::relu_backward(stream_, dtype, count, negative_slope, mask, dy, dx);
}

void DeviceBackend::maxpool_forward(const PoolGeometry &g, const void *x, void *y,
                                    uint8_t *index) const
{
    cuda::maxpool_forward(stream_, g, x, y, index);
}

void DeviceBackend::maxpool_backward(const PoolGeometry &g, const uint8_t *index, const void *dy,
                                     void *dx) const
{
    cuda::maxpool_backward(stream_, g, index, dy, dx);
}

} // namespace xconv::cuda
