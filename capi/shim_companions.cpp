// The C face of the companions: ReLU in one bit, max pooling in a few.
#include <cmath>

#include "checked.hpp"
#include "shim.hpp"

namespace xconv::capi {

namespace {

int64_t checked_count(int64_t count, Dtype dtype)
{
    if (count < 0) {
        fail(XCONV_INVALID_ARGUMENT, "count = {}: must not be negative", count);
    }
    static_cast<void>(checked_mul(count, element_bytes(dtype), "count"));
    return count;
}

int64_t mask_bytes_of(int64_t count) { return count / 8 + (count % 8 != 0 ? 1 : 0); }

int64_t x_bytes(const PoolGeometry &g) { return g.planes * g.in_points() * element_bytes(g.dtype); }

int64_t y_bytes(const PoolGeometry &g) { return g.out_count() * element_bytes(g.dtype); }

int64_t query_pool(const PoolGeometry &g, xconv_pool_query query)
{
    switch (query) {
    case XCONV_POOL_OUT_SIZE_0:
    case XCONV_POOL_OUT_SIZE_1:
    case XCONV_POOL_OUT_SIZE_2:
        return named_axis(g.out, g.rank, query - XCONV_POOL_OUT_SIZE_0);
    case XCONV_POOL_INDEX_BITS:
        return g.index_bits;
    case XCONV_POOL_INDEX_BYTES:
        return g.index_bytes();
    default:
        fail(XCONV_INVALID_ARGUMENT, "query = {}: not an xconv_pool_query", query);
    }
}

/// One array may be another, and otherwise must not meet it.
void require_same_or_apart(const Region &output, const Region &input)
{
    if (output.data != input.data) {
        require_apart({output}, {input});
    }
}

uint8_t *as_bytes(void *buffer) { return static_cast<uint8_t *>(buffer); }

const uint8_t *as_bytes(const void *buffer) { return static_cast<const uint8_t *>(buffer); }

} // namespace

} // namespace xconv::capi

using namespace xconv;       // NOLINT: this file is the C face of it
using namespace xconv::capi; // NOLINT

xconv_status xconv_relu_mask_bytes(int64_t count, int64_t *bytes)
{
    return guard(__func__, [&] {
        require(bytes, "bytes");
        *bytes = mask_bytes_of(checked_count(count, Dtype::f32));
    });
}

xconv_status xconv_relu_forward(const xconv_context *context, xconv_dtype dtype, int64_t count,
                                double negative_slope, double ceiling, const void *x, void *y,
                                void *mask, size_t mask_bytes)
{
    return guard(__func__, [&] {
        const ActiveBackend active(backend_of(context));
        const Backend &on = active;
        const Dtype type = checked_dtype(dtype);
        checked_count(count, type);
        checked_finite(negative_slope, type, "negative_slope");
        if (!(ceiling > 0)) {
            fail(XCONV_INVALID_ARGUMENT, "ceiling = {}: must be positive, INFINITY for none",
                 ceiling);
        }
        if (!std::isinf(ceiling)) {
            checked_finite(ceiling, type, "ceiling");
        }
        if (negative_slope != 0 && std::isfinite(ceiling)) {
            fail(XCONV_INVALID_ARGUMENT,
                 "ceiling = {}: must be INFINITY with negative_slope = {}, for one bit cannot tell "
                 "three branches apart",
                 ceiling, negative_slope);
        }
        if (mask != nullptr || mask_bytes != 0) {
            require_buffer(on, mask, mask_bytes, mask_bytes_of(count), "mask");
        }
        if (count == 0) {
            return;
        }
        require_tensor(on, x, type, "x");
        require_tensor(on, y, type, "y");
        const int64_t bytes = count * element_bytes(type);
        require_same_or_apart({y, bytes, "y"}, {x, bytes, "x"});
        require_apart({{mask, mask_bytes_of(count), "mask"}}, {{x, bytes, "x"}, {y, bytes, "y"}});
        on.relu_forward(type, count, negative_slope, ceiling, x, y, as_bytes(mask));
    });
}

xconv_status xconv_relu_backward(const xconv_context *context, xconv_dtype dtype, int64_t count,
                                 double negative_slope, const void *mask, size_t mask_bytes,
                                 const void *dy, void *dx)
{
    return guard(__func__, [&] {
        const ActiveBackend active(backend_of(context));
        const Backend &on = active;
        const Dtype type = checked_dtype(dtype);
        checked_count(count, type);
        checked_finite(negative_slope, type, "negative_slope");
        require_buffer(on, mask, mask_bytes, mask_bytes_of(count), "mask");
        if (count == 0) {
            return;
        }
        require_tensor(on, dy, type, "dy");
        require_tensor(on, dx, type, "dx");
        const int64_t bytes = count * element_bytes(type);
        require_same_or_apart({dx, bytes, "dx"}, {dy, bytes, "dy"});
        require_apart({{dx, bytes, "dx"}}, {{mask, mask_bytes_of(count), "mask"}});
        on.relu_backward(type, count, negative_slope, as_bytes(mask), dy, dx);
    });
}

xconv_status xconv_maxpool_query(const xconv_pool_desc *desc, xconv_pool_query query,
                                 int64_t *value)
{
    return guard(__func__, [&] {
        const PoolGeometry geometry = make_pool_geometry(read_desc(desc, "desc"));
        require(value, "value");
        *value = query_pool(geometry, query);
    });
}

xconv_status xconv_maxpool_forward(const xconv_context *context, const xconv_pool_desc *desc,
                                   const void *x, void *y, void *index, size_t index_bytes)
{
    return guard(__func__, [&] {
        const ActiveBackend active(backend_of(context));
        const Backend &on = active;
        const PoolGeometry geometry = make_pool_geometry(read_desc(desc, "desc"));
        require_tensor(on, x, geometry.dtype, "x");
        require_tensor(on, y, geometry.dtype, "y");
        if (index != nullptr || index_bytes != 0) {
            require_buffer(on, index, index_bytes, geometry.index_bytes(), "index");
        }
        require_apart({{y, y_bytes(geometry), "y"}, {index, geometry.index_bytes(), "index"}},
                      {{x, x_bytes(geometry), "x"}});
        on.maxpool_forward(geometry, x, y, as_bytes(index));
    });
}

xconv_status xconv_maxpool_backward(const xconv_context *context, const xconv_pool_desc *desc,
                                    const void *index, size_t index_bytes, const void *dy, void *dx)
{
    return guard(__func__, [&] {
        const ActiveBackend active(backend_of(context));
        const Backend &on = active;
        const PoolGeometry geometry = make_pool_geometry(read_desc(desc, "desc"));
        require_buffer(on, index, index_bytes, geometry.index_bytes(), "index");
        require_tensor(on, dy, geometry.dtype, "dy");
        require_tensor(on, dx, geometry.dtype, "dx");
        require_apart({{dx, x_bytes(geometry), "dx"}},
                      {{index, geometry.index_bytes(), "index"}, {dy, y_bytes(geometry), "dy"}});
        on.maxpool_backward(geometry, as_bytes(index), dy, dx);
    });
}
