#include "geometry.hpp"

#include <algorithm>
#include <bit>

#include "checked.hpp"

namespace xconv {

namespace {

/// Fields of a descriptor with the smallest value each may take.
void require_at_least(int64_t value, int64_t minimum, const char *field)
{
    if (value < minimum) {
        fail(XCONV_INVALID_ARGUMENT, "{} = {}: must be at least {}", field, value, minimum);
    }
}

void require_at_least(const int64_t (&values)[3], int rank, int64_t minimum, const char *field)
{
    for (int axis = 0; axis < rank; ++axis) {
        if (values[axis] < minimum) {
            fail(XCONV_INVALID_ARGUMENT, "{}[{}] = {}: must be at least {}", field, axis,
                 values[axis], minimum);
        }
    }
}

int checked_rank(int32_t rank)
{
    if (rank < 1 || rank > 3) {
        fail(XCONV_INVALID_ARGUMENT, "rank = {}: must be 1, 2 or 3", rank);
    }
    return rank;
}

/// Lower ranks leave the leading axes at size 1.
size_t first_axis(int rank) { return static_cast<size_t>(3 - rank); }

/// Embed the first `rank` entries as the last axes of a triple.
Axes embed(const int64_t (&values)[3], int rank, int64_t filler)
{
    Axes axes{filler, filler, filler};
    std::copy(values, values + rank, axes.begin() + 3 - rank);
    return axes;
}

/// Places of a window of extent `window` that moves by `stride`. A stride that no window
/// takes is made no longer than the padded input, so that nothing overflows by it.
int64_t places(int64_t in, int64_t pad_begin, int64_t pad_end, int64_t window, int64_t &stride,
               size_t axis)
{
    const int64_t padded = checked_add(checked_add(in, pad_begin, "pad_begin"), pad_end, "pad_end");
    if (window > padded) {
        fail(XCONV_INVALID_ARGUMENT,
             "kernel[{}]: its extent {} exceeds the padded input of {}, so the output is empty",
             axis, window, padded);
    }
    stride = std::min(stride, padded);
    return (padded - window) / stride + 1;
}

/// Byte counts, of tensors and of the numbers made from them, are used everywhere;
/// prove once that they fit, with room to add up a few of them.
void check_bytes(std::initializer_list<int64_t> factors, Dtype dtype, const char *tensor)
{
    int64_t count = kSizeHeadroom * element_bytes(compute_dtype(dtype));
    for (const int64_t factor : factors) {
        count = checked_mul(count, factor, tensor);
    }
}

} // namespace

Dtype checked_dtype(xconv_dtype dtype)
{
    switch (dtype) {
    case XCONV_F32:
        return Dtype::f32;
    case XCONV_F64:
        return Dtype::f64;
    case XCONV_F16:
        return Dtype::f16;
    case XCONV_BF16:
        return Dtype::bf16;
    default:
        fail(XCONV_INVALID_ARGUMENT, "dtype = {}: not an xconv_dtype", dtype);
    }
}

int64_t named_axis(const Axes &axes, int rank, int axis)
{
    const int embedded = 3 - rank + axis;
    return axis < rank ? axes[static_cast<size_t>(embedded)] : 1;
}

int64_t product(const Axes &axes) { return axes[0] * axes[1] * axes[2]; }

bool ConvGeometry::unfolds_to_itself() const
{
    const Axes ones{1, 1, 1};
    const Axes zeros{0, 0, 0};
    return kernel == ones && stride == ones && pad_begin == zeros && pad_end == zeros;
}

double ConvGeometry::multiply_adds() const
{
    return static_cast<double>(w_count()) * static_cast<double>(out_points()) *
           static_cast<double>(batch);
}

ConvGeometry ConvGeometry::with_batch(int64_t samples) const
{
    ConvGeometry other = *this;
    other.batch = samples;
    return other;
}

ConvGeometry ConvGeometry::with_numbers() const
{
    ConvGeometry copy = *this;
    copy.dtype = compute_dtype(dtype);
    return copy;
}

ConvGeometry ConvGeometry::with_channels(int64_t samples, int64_t in_ch, int64_t out_ch) const
{
    ConvGeometry other = with_batch(samples);
    other.in_channels = in_ch;
    other.out_channels = out_ch;
    other.groups = 1;
    return other;
}

std::string ConvGeometry::describe() const
{
    const auto text = [this](const Axes &axes) {
        std::string joined;
        for (size_t axis = first_axis(rank); axis < 3; ++axis) {
            joined += fmt::format("{}{}", joined.empty() ? "" : "x", axes[axis]);
        }
        return joined;
    };
    return fmt::format("conv{}d {} batch {} channels {}->{} groups {} in {} kernel {} stride {} "
                       "dilation {} pad {}..{} out {}",
                       rank, dtype_name(dtype), batch, in_channels, out_channels, groups, text(in),
                       text(kernel), text(stride), text(dilation), text(pad_begin), text(pad_end),
                       text(out));
}

ConvGeometry make_geometry(const xconv_conv_desc &desc)
{
    ConvGeometry g;
    g.rank = checked_rank(desc.rank);
    g.dtype = checked_dtype(desc.dtype);
    if (desc.flip != 0 && desc.flip != 1) {
        fail(XCONV_INVALID_ARGUMENT, "flip = {}: must be 0 or 1", desc.flip);
    }
    require_at_least(desc.batch, 1, "batch");
    require_at_least(desc.in_channels, 1, "in_channels");
    require_at_least(desc.out_channels, 1, "out_channels");
    require_at_least(desc.groups, 1, "groups");
    require_at_least(desc.in_size, g.rank, 1, "in_size");
    require_at_least(desc.kernel, g.rank, 1, "kernel");
    require_at_least(desc.stride, g.rank, 1, "stride");
    require_at_least(desc.dilation, g.rank, 1, "dilation");
    require_at_least(desc.pad_begin, g.rank, 0, "pad_begin");
    require_at_least(desc.pad_end, g.rank, 0, "pad_end");
    if (desc.in_channels % desc.groups != 0) {
        fail(XCONV_INVALID_ARGUMENT, "groups = {}: must divide in_channels = {}", desc.groups,
             desc.in_channels);
    }
    if (desc.out_channels % desc.groups != 0) {
        fail(XCONV_INVALID_ARGUMENT, "groups = {}: must divide out_channels = {}", desc.groups,
             desc.out_channels);
    }
    g.batch = desc.batch;
    g.in_channels = desc.in_channels;
    g.out_channels = desc.out_channels;
    g.groups = desc.groups;
    g.in = embed(desc.in_size, g.rank, 1);
    g.kernel = embed(desc.kernel, g.rank, 1);
    g.stride = embed(desc.stride, g.rank, 1);
    g.dilation = embed(desc.dilation, g.rank, 1);
    g.pad_begin = embed(desc.pad_begin, g.rank, 0);
    g.pad_end = embed(desc.pad_end, g.rank, 0);
    for (size_t axis = first_axis(g.rank); axis < 3; ++axis) {
        const int64_t between =
            checked_mul(g.dilation[axis], g.kernel[axis] - 1, "dilation * kernel");
        g.out[axis] =
            places(g.in[axis], g.pad_begin[axis], g.pad_end[axis],
                   checked_add(between, 1, "kernel"), g.stride[axis], axis - first_axis(g.rank));
    }
    check_bytes({g.batch, g.in_channels, g.in[0], g.in[1], g.in[2]}, g.dtype, "x");
    check_bytes({g.batch, g.out_channels, g.out[0], g.out[1], g.out[2]}, g.dtype, "y");
    check_bytes({g.out_channels, g.in_per_group(), g.kernel[0], g.kernel[1], g.kernel[2]}, g.dtype,
                "w");
    g.x_channel = g.in_points();
    g.y_channel = g.out_points();
    return g;
}

int64_t PoolGeometry::index_bytes() const
{
    return ceil_div(checked_mul(out_count(), index_bits, "index"), 8);
}

PoolGeometry make_pool_geometry(const xconv_pool_desc &desc)
{
    PoolGeometry g;
    g.rank = checked_rank(desc.rank);
    g.dtype = checked_dtype(desc.dtype);
    require_at_least(desc.batch, 1, "batch");
    require_at_least(desc.channels, 1, "channels");
    require_at_least(desc.in_size, g.rank, 1, "in_size");
    require_at_least(desc.kernel, g.rank, 1, "kernel");
    require_at_least(desc.stride, g.rank, 1, "stride");
    require_at_least(desc.pad_begin, g.rank, 0, "pad_begin");
    require_at_least(desc.pad_end, g.rank, 0, "pad_end");
    g.planes = checked_mul(desc.batch, desc.channels, "batch * channels");
    g.in = embed(desc.in_size, g.rank, 1);
    g.kernel = embed(desc.kernel, g.rank, 1);
    g.stride = embed(desc.stride, g.rank, 1);
    g.pad_begin = embed(desc.pad_begin, g.rank, 0);
    const Axes pad_end = embed(desc.pad_end, g.rank, 0);
    for (size_t axis = first_axis(g.rank); axis < 3; ++axis) {
        const size_t named = axis - first_axis(g.rank);
        g.out[axis] = places(g.in[axis], g.pad_begin[axis], pad_end[axis], g.kernel[axis],
                             g.stride[axis], named);
        if (g.pad_begin[axis] >= g.kernel[axis]) {
            fail(XCONV_INVALID_ARGUMENT,
                 "pad_begin[{}] = {}: the first window holds padding only (kernel {})", named,
                 g.pad_begin[axis], g.kernel[axis]);
        }
        if ((g.out[axis] - 1) * g.stride[axis] >= g.in[axis] + g.pad_begin[axis]) {
            fail(XCONV_INVALID_ARGUMENT, "pad_end[{}] = {}: the last window holds padding only",
                 named, pad_end[axis]);
        }
    }
    check_bytes({g.planes, g.in[0], g.in[1], g.in[2]}, g.dtype, "x");
    check_bytes({g.planes, g.out[0], g.out[1], g.out[2]}, g.dtype, "y");
    int64_t window = checked_mul(g.kernel[0], g.kernel[1], "kernel");
    window = checked_mul(window, g.kernel[2], "kernel");
    g.index_bits = static_cast<int>(std::bit_width(static_cast<uint64_t>(window - 1)));
    if (g.index_bits > 32) {
        fail(XCONV_UNSUPPORTED, "kernel: a window of {} places needs more than 32 bits an index",
             window);
    }
    static_cast<void>(g.index_bytes());
    return g;
}

} // namespace xconv
