// The C face of the advice on schemes.
#include <cstring>

#include "advise/advise.hpp"
#include "shim.hpp"

namespace xconv::capi {

namespace {

ConvGeometry read_geometry(const xconv_conv_desc *conv)
{
    const xconv_conv_desc desc = read_desc(conv, "conv");
    const ConvGeometry geometry = make_geometry(desc);
    static_cast<void>(checked_dw_dtype(desc, geometry));
    return geometry;
}

AdviseRequest read_options(const xconv_advise_options *options)
{
    xconv_advise_options copy = XCONV_ADVISE_OPTIONS_INIT;
    if (options != nullptr) {
        copy = read_desc(options, "options");
        require_zero(copy.reserved, "options->reserved");
    }
    return make_advise_request(copy);
}

void check_entries(size_t entry_bytes, size_t capacity, int64_t needed)
{
    if (entry_bytes < sizeof(xconv_advice)) {
        fail(XCONV_INVALID_ARGUMENT, "entry_bytes = {}: must be sizeof(xconv_advice), {}",
             entry_bytes, sizeof(xconv_advice));
    }
    if (capacity < static_cast<uint64_t>(needed)) {
        fail(XCONV_BUFFER_TOO_SMALL, "capacity = {}: must be at least {}", capacity, needed);
    }
}

/// To entries of the caller's size: a caller with a newer header gets zeros behind.
void write_entries(const std::vector<xconv_advice> &from, xconv_advice *to, size_t entry_bytes)
{
    auto *entry = reinterpret_cast<unsigned char *>(to);
    for (const xconv_advice &advice : from) {
        std::memset(entry, 0, entry_bytes);
        std::memcpy(entry, &advice, std::min(entry_bytes, sizeof advice));
        entry += entry_bytes;
    }
}

} // namespace

} // namespace xconv::capi

using namespace xconv;       // NOLINT: this file is the C face of it
using namespace xconv::capi; // NOLINT

xconv_status xconv_advise_query(const xconv_context *context, const xconv_conv_desc *conv,
                                const xconv_advise_options *options, xconv_advise_need need,
                                int64_t *value)
{
    return guard(__func__, [&] {
        const ActiveBackend on(backend_of(context));
        const ConvGeometry geometry = read_geometry(conv);
        const AdviseRequest request = read_options(options);
        require(value, "value");
        switch (need) {
        case XCONV_ADVISE_CAPACITY:
            *value = advise_capacity(geometry);
            break;
        case XCONV_ADVISE_WORKSPACE:
            *value = Advisor(on, geometry, request).workspace();
            break;
        default:
            fail(XCONV_INVALID_ARGUMENT, "need = {}: not an xconv_advise_need", need);
        }
    });
}

xconv_status xconv_advise(const xconv_context *context, const xconv_conv_desc *conv, const void *x,
                          const void *dy, const xconv_advise_options *options, xconv_advice *advice,
                          size_t entry_bytes, size_t capacity, size_t *count, double *batch_noise,
                          void *workspace, size_t workspace_bytes)
{
    return guard(__func__, [&] {
        const ActiveBackend on(backend_of(context));
        const ConvGeometry geometry = read_geometry(conv);
        require_tensor(on, x, geometry.dtype, "x");
        require_tensor(on, dy, geometry.dtype, "dy");
        const AdviseRequest request = read_options(options);
        require(advice, "advice");
        check_entries(entry_bytes, capacity, advise_capacity(geometry));
        require(count, "count");
        const Advisor advisor(on, geometry, request);
        void *scratch = require_workspace(on, workspace, workspace_bytes, advisor.workspace());
        const int64_t element = element_bytes(geometry.dtype);
        require_apart(
            {{workspace, advisor.workspace(), "workspace"}},
            {{x, geometry.x_count() * element, "x"}, {dy, geometry.y_count() * element, "dy"}});
        const Advised advised = advisor.run(x, dy, scratch);
        write_entries(advised.schemes, advice, entry_bytes);
        *count = advised.schemes.size();
        if (batch_noise != nullptr) {
            *batch_noise = advised.batch_noise;
        }
    });
}
