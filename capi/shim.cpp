#include "shim.hpp"

namespace xconv::capi {

namespace {

/// The plan, proved to belong on this backend.
const Plan &plan_on(const Backend &on, const xconv_plan *plan)
{
    const Backend::Key here = on.key();
    const Plan &checked = require(plan, "plan").plan;
    const Backend::Key made = checked.key();
    if (made != here) {
        const auto name = [](const Backend::Key &key) {
            return fmt::format("device {}:{} with {} threads{}", key.device, key.index, key.threads,
                               key.tf32 ? " and TF32" : "");
        };
        fail(XCONV_MISMATCH, "plan: made for {}, context has {}", name(made), name(here));
    }
    return checked;
}

PlanRequest read_request(const xconv_conv_desc *conv, const xconv_scheme_desc *scheme,
                         const xconv_plan_options *options)
{
    PlanRequest request{read_desc(conv, "conv"), XCONV_SCHEME_DESC_INIT, XCONV_PLAN_OPTIONS_INIT};
    if (scheme != nullptr) {
        request.scheme = read_desc(scheme, "scheme");
    }
    if (options != nullptr) {
        request.options = read_desc(options, "options");
        require_zero(request.options.reserved, "options->reserved");
    }
    return request;
}

int64_t query_plan(const Plan &plan, xconv_query query)
{
    const ConvGeometry &g = plan.geometry();
    const int64_t bytes = element_bytes(g.dtype);
    switch (query) {
    case XCONV_QUERY_X_BYTES:
        return g.x_count() * bytes;
    case XCONV_QUERY_W_BYTES:
        return g.w_count() * bytes;
    case XCONV_QUERY_Y_BYTES:
        return g.y_count() * bytes;
    case XCONV_QUERY_BIAS_BYTES:
        return g.out_channels * bytes;
    case XCONV_QUERY_SKETCH_BYTES:
        return plan.sketch_bytes();
    case XCONV_QUERY_OUT_SIZE_0:
    case XCONV_QUERY_OUT_SIZE_1:
    case XCONV_QUERY_OUT_SIZE_2:
        return named_axis(g.out, g.rank, query - XCONV_QUERY_OUT_SIZE_0);
    case XCONV_QUERY_WORKSPACE_FORWARD:
        return plan.forward_workspace();
    case XCONV_QUERY_WORKSPACE_SKETCH:
        return plan.sketch_workspace();
    case XCONV_QUERY_WORKSPACE_BACKWARD_FILTER:
        return plan.backward_filter_workspace();
    case XCONV_QUERY_WORKSPACE_BACKWARD_FILTER_EXACT:
        return plan.backward_filter_exact_workspace();
    case XCONV_QUERY_WORKSPACE_BACKWARD_DATA:
        return plan.backward_data_workspace();
    case XCONV_QUERY_WORKSPACE_MAX:
        return std::max({plan.forward_workspace(), plan.sketch_workspace(),
                         plan.backward_filter_workspace(), plan.backward_filter_exact_workspace(),
                         plan.backward_data_workspace()});
    case XCONV_QUERY_CONTRACTION:
        return plan.contraction();
    case XCONV_QUERY_DW_BYTES:
        return g.w_count() * element_bytes(plan.dw_dtype());
    case XCONV_QUERY_DB_BYTES:
        return g.out_channels * element_bytes(plan.dw_dtype());
    default:
        fail(XCONV_INVALID_ARGUMENT, "query = {}: not an xconv_query", query);
    }
}

} // namespace

} // namespace xconv::capi

using namespace xconv;       // NOLINT: this file is the C face of it
using namespace xconv::capi; // NOLINT

const char *xconv_status_name(xconv_status status)
{
    static constexpr const char *names[] = {
        "XCONV_SUCCESS",          "XCONV_INVALID_ARGUMENT", "XCONV_OVERFLOW",
        "XCONV_BUFFER_TOO_SMALL", "XCONV_UNSUPPORTED",      "XCONV_MISMATCH",
        "XCONV_OUT_OF_MEMORY",    "XCONV_DEVICE_ERROR",     "XCONV_INTERNAL"};
    if (status < 0 || status > XCONV_INTERNAL) {
        return "not an xconv_status";
    }
    return names[status];
}

const char *xconv_last_error(void) { return last_error(); }

int32_t xconv_version(void)
{
    return XCONV_VERSION_MAJOR * 10000 + XCONV_VERSION_MINOR * 100 + XCONV_VERSION_PATCH;
}

const char *xconv_git_hash(void) { return git_hash(); }

const char *xconv_backends(void)
{
    try {
        return describe_backends();
    }
    catch (...) {
        return "";
    }
}

xconv_status xconv_context_create(const xconv_context_desc *desc, xconv_context **context)
{
    return guard(__func__, [&] {
        require(context, "context");
        xconv_context_desc copy = XCONV_CONTEXT_DESC_INIT;
        if (desc != nullptr) {
            copy = read_desc(desc, "desc");
            if (copy.allow_tf32 != 0 && copy.allow_tf32 != 1) {
                fail(XCONV_INVALID_ARGUMENT, "desc->allow_tf32 = {}: must be 0 or 1",
                     copy.allow_tf32);
            }
        }
        *context = new xconv_context{make_backend(copy)};
    });
}

void xconv_context_destroy(xconv_context *context) { delete context; }

xconv_status xconv_context_threads(const xconv_context *context, int32_t *threads)
{
    return guard(__func__, [&] {
        const Backend &backend = backend_of(context);
        require(threads, "threads") = backend.key().threads;
    });
}

xconv_status xconv_plan_create(const xconv_context *context, const xconv_conv_desc *conv,
                               const xconv_scheme_desc *scheme, const xconv_plan_options *options,
                               xconv_plan **plan)
{
    return guard(__func__, [&] {
        const ActiveBackend backend(backend_of(context));
        require(plan, "plan");
        *plan = new xconv_plan{Plan(backend, read_request(conv, scheme, options))};
    });
}

void xconv_plan_destroy(xconv_plan *plan) { delete plan; }

xconv_status xconv_plan_query(const xconv_plan *plan, xconv_query query, int64_t *value)
{
    return guard(__func__, [&] {
        const Plan &checked = require(plan, "plan").plan;
        require(value, "value");
        *value = query_plan(checked, query);
    });
}

xconv_status xconv_plan_describe(const xconv_plan *plan, char *buffer, size_t size, size_t *length)
{
    return guard(__func__, [&] {
        const Plan &checked = require(plan, "plan").plan;
        if (size > 0) {
            require(buffer, "buffer");
        }
        const std::string text = checked.describe();
        if (size > 0) {
            const size_t copied = text.copy(buffer, size - 1);
            buffer[copied] = '\0';
        }
        if (length != nullptr) {
            *length = text.size();
        }
    });
}

xconv_status xconv_forward(const xconv_context *context, const xconv_plan *plan, const void *x,
                           const void *w, const void *bias, void *y, uint64_t seed, void *sketch,
                           size_t sketch_bytes, void *workspace, size_t workspace_bytes)
{
    return guard(__func__, [&] {
        const ActiveBackend on(backend_of(context));
        const Plan &checked = plan_on(on, plan);
        const ConvGeometry &g = checked.geometry();
        const int64_t bytes = element_bytes(g.dtype);
        require_tensor(on, x, g.dtype, "x");
        require_tensor(on, w, g.dtype, "w");
        if (bias != nullptr) {
            require_tensor(on, bias, g.dtype, "bias");
        }
        require_tensor(on, y, g.dtype, "y");
        if (sketch != nullptr || sketch_bytes != 0) {
            require_buffer(on, sketch, sketch_bytes, checked.sketch_bytes(), "sketch");
            require_tensor(on, sketch, compute_dtype(g.dtype), "sketch");
        }
        void *scratch =
            require_workspace(on, workspace, workspace_bytes, checked.forward_workspace());
        require_apart({{y, g.y_count() * bytes, "y"},
                       {sketch, checked.sketch_bytes(), "sketch"},
                       {workspace, checked.forward_workspace(), "workspace"}},
                      {{x, g.x_count() * bytes, "x"},
                       {w, g.w_count() * bytes, "w"},
                       {bias, g.out_channels * bytes, "bias"}});
        checked.forward(on, x, w, bias, y, scratch);
        if (sketch != nullptr) {
            checked.sketch(on, x, seed, sketch, scratch);
        }
    });
}

xconv_status xconv_sketch(const xconv_context *context, const xconv_plan *plan, const void *x,
                          uint64_t seed, void *sketch, size_t sketch_bytes, void *workspace,
                          size_t workspace_bytes)
{
    return guard(__func__, [&] {
        const ActiveBackend on(backend_of(context));
        const Plan &checked = plan_on(on, plan);
        const ConvGeometry &g = checked.geometry();
        const int64_t bytes = element_bytes(g.dtype);
        require_tensor(on, x, g.dtype, "x");
        require_buffer(on, sketch, sketch_bytes, checked.sketch_bytes(), "sketch");
        require_tensor(on, sketch, compute_dtype(g.dtype), "sketch");
        void *scratch =
            require_workspace(on, workspace, workspace_bytes, checked.sketch_workspace());
        require_apart({{sketch, checked.sketch_bytes(), "sketch"},
                       {workspace, checked.sketch_workspace(), "workspace"}},
                      {{x, g.x_count() * bytes, "x"}});
        checked.sketch(on, x, seed, sketch, scratch);
    });
}

xconv_status xconv_backward_filter(const xconv_context *context, const xconv_plan *plan,
                                   const void *sketch, size_t sketch_bytes, uint64_t seed,
                                   const void *dy, double beta, void *dw, void *workspace,
                                   size_t workspace_bytes)
{
    return guard(__func__, [&] {
        const ActiveBackend on(backend_of(context));
        const Plan &checked = plan_on(on, plan);
        const ConvGeometry &g = checked.geometry();
        const int64_t bytes = element_bytes(g.dtype);
        require_buffer(on, sketch, sketch_bytes, checked.sketch_bytes(), "sketch");
        require_tensor(on, sketch, compute_dtype(g.dtype), "sketch");
        require_tensor(on, dy, g.dtype, "dy");
        require_tensor(on, dw, checked.dw_dtype(), "dw");
        void *scratch =
            require_workspace(on, workspace, workspace_bytes, checked.backward_filter_workspace());
        require_apart(
            {{dw, g.w_count() * element_bytes(checked.dw_dtype()), "dw"},
             {workspace, checked.backward_filter_workspace(), "workspace"}},
            {{sketch, checked.sketch_bytes(), "sketch"}, {dy, g.y_count() * bytes, "dy"}});
        checked.backward_filter(on, sketch, seed, dy, checked_finite(beta, g.dtype, "beta"), dw,
                                scratch);
    });
}

xconv_status xconv_backward_filter_exact(const xconv_context *context, const xconv_plan *plan,
                                         const void *x, const void *dy, double beta, void *dw,
                                         void *workspace, size_t workspace_bytes)
{
    return guard(__func__, [&] {
        const ActiveBackend on(backend_of(context));
        const Plan &checked = plan_on(on, plan);
        const ConvGeometry &g = checked.geometry();
        const int64_t bytes = element_bytes(g.dtype);
        require_tensor(on, x, g.dtype, "x");
        require_tensor(on, dy, g.dtype, "dy");
        require_tensor(on, dw, checked.dw_dtype(), "dw");
        void *scratch = require_workspace(on, workspace, workspace_bytes,
                                          checked.backward_filter_exact_workspace());
        require_apart({{dw, g.w_count() * element_bytes(checked.dw_dtype()), "dw"},
                       {workspace, checked.backward_filter_exact_workspace(), "workspace"}},
                      {{x, g.x_count() * bytes, "x"}, {dy, g.y_count() * bytes, "dy"}});
        checked.backward_filter_exact(on, x, dy, checked_finite(beta, g.dtype, "beta"), dw,
                                      scratch);
    });
}

xconv_status xconv_backward_data(const xconv_context *context, const xconv_plan *plan,
                                 const void *w, const void *dy, void *dx, void *workspace,
                                 size_t workspace_bytes)
{
    return guard(__func__, [&] {
        const ActiveBackend on(backend_of(context));
        const Plan &checked = plan_on(on, plan);
        const ConvGeometry &g = checked.geometry();
        const int64_t bytes = element_bytes(g.dtype);
        require_tensor(on, w, g.dtype, "w");
        require_tensor(on, dy, g.dtype, "dy");
        require_tensor(on, dx, g.dtype, "dx");
        void *scratch =
            require_workspace(on, workspace, workspace_bytes, checked.backward_data_workspace());
        require_apart({{dx, g.x_count() * bytes, "dx"},
                       {workspace, checked.backward_data_workspace(), "workspace"}},
                      {{w, g.w_count() * bytes, "w"}, {dy, g.y_count() * bytes, "dy"}});
        checked.backward_data(on, w, dy, dx, scratch);
    });
}

xconv_status xconv_backward_bias(const xconv_context *context, const xconv_plan *plan,
                                 const void *dy, double beta, void *db)
{
    return guard(__func__, [&] {
        const ActiveBackend on(backend_of(context));
        const Plan &checked = plan_on(on, plan);
        const ConvGeometry &g = checked.geometry();
        const int64_t bytes = element_bytes(g.dtype);
        require_tensor(on, dy, g.dtype, "dy");
        require_tensor(on, db, checked.dw_dtype(), "db");
        require_apart({{db, g.out_channels * element_bytes(checked.dw_dtype()), "db"}},
                      {{dy, g.y_count() * bytes, "dy"}});
        checked.backward_bias(on, dy, checked_finite(beta, g.dtype, "beta"), db);
    });
}
