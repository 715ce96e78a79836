/* One layer from C99: a training step by hand, checked against sums that are
 * written out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xconv/xconv.h>

#include "c_check.h"

int failures = 0;

enum { kBatch = 2, kIn = 2, kOut = 1, kSize = 3, kTaps = 2 };

/* Rank 1: x is 2 x 2 x 3, w is 1 x 2 x 2, y is 2 x 1 x 2. */
static const double x[kBatch * kIn * kSize] = {1, 2, 3, 4, 5, 6, -1, 0, 2, 3, -2, 1};
static const double w[kOut * kIn * kTaps] = {1, 10, 100, 1000};
static const double bias[kOut] = {0.5};
static const double dy[kBatch * kOut * 2] = {1, -1, 2, 3};

static const double y_expected[] = {5421.5, 6532.5, -1700.5, 820.5};
static const double dx_expected[] = {1, 9, -10, 100, 900, -1000, 2, 23, 30, 200, 2300, 3000};
static const double dw_expected[] = {-1 - 2 + 0, -1 + 0 + 6, -1 + 6 - 6, -1 - 4 + 3};
static const double db_expected[] = {5};

static void check_all(const char *what, const double *got, const double *expected, size_t count,
                      double tolerance)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        CHECK(fabs(got[i] - expected[i]) <= tolerance, "%s[%d] = %g instead of %g", what, (int)i,
              got[i], expected[i]);
    }
}

static void check_ok(xconv_status status)
{
    CHECK(status == XCONV_SUCCESS, "%s: %s", xconv_status_name(status), xconv_last_error());
}

static xconv_conv_desc describe_layer(void)
{
    xconv_conv_desc desc = XCONV_CONV_DESC_INIT;
    desc.rank = 1;
    desc.dtype = XCONV_F64;
    desc.batch = kBatch;
    desc.in_channels = kIn;
    desc.out_channels = kOut;
    desc.in_size[0] = kSize;
    desc.kernel[0] = kTaps;
    return desc;
}

static int64_t query(const xconv_plan *plan, xconv_query what)
{
    int64_t value = -1;
    check_ok(xconv_plan_query(plan, what, &value));
    return value;
}

/* Forward and backward with one scheme; dw within `tolerance` of the exact one. */
static void train(const xconv_context *context, const xconv_scheme_desc *scheme, double tolerance)
{
    const xconv_conv_desc desc = describe_layer();
    xconv_plan *plan = NULL;
    double y[4], dx[12], dw[4], db[1], accumulated[4] = {1, 1, 1, 1};
    void *sketch, *again, *workspace;
    size_t kept, scratch, i;
    check_ok(xconv_plan_create(context, &desc, scheme, NULL, &plan));
    if (plan == NULL) {
        return;
    }
    CHECK(query(plan, XCONV_QUERY_X_BYTES) == (int64_t)sizeof x, "x");
    CHECK(query(plan, XCONV_QUERY_W_BYTES) == (int64_t)sizeof w, "w");
    CHECK(query(plan, XCONV_QUERY_Y_BYTES) == (int64_t)sizeof y, "y");
    CHECK(query(plan, XCONV_QUERY_OUT_SIZE_0) == 2, "out size");
    kept = (size_t)query(plan, XCONV_QUERY_SKETCH_BYTES);
    scratch = (size_t)query(plan, XCONV_QUERY_WORKSPACE_MAX);
    sketch = malloc(kept);
    again = malloc(kept);
    workspace = malloc(scratch + 1);

    check_ok(xconv_forward(context, plan, x, w, bias, y, 11, sketch, kept, workspace, scratch));
    check_ok(xconv_sketch(context, plan, x, 11, again, kept, workspace, scratch));
    check_ok(xconv_backward_filter(context, plan, sketch, kept, 11, dy, 0, dw, workspace, scratch));
    check_ok(xconv_backward_filter(context, plan, sketch, kept, 11, dy, 2, accumulated, workspace,
                                   scratch));
    check_ok(xconv_backward_data(context, plan, w, dy, dx, workspace, scratch));
    check_ok(xconv_backward_bias(context, plan, dy, 0, db));
    check_all("y", y, y_expected, 4, 1e-9);
    check_all("dx", dx, dx_expected, 12, 1e-9);
    check_all("dw", dw, dw_expected, 4, tolerance);
    check_all("db", db, db_expected, 1, 1e-12);
    CHECK(memcmp(sketch, again, kept) == 0, "forward's sketch is not sketch's");
    for (i = 0; i < 4; ++i) {
        CHECK(fabs(accumulated[i] - (dw[i] + 2)) <= 1e-9, "beta: entry %d", (int)i);
    }
    check_ok(xconv_backward_filter_exact(context, plan, x, dy, 0, dw, workspace, scratch));
    check_all("exact dw", dw, dw_expected, 4, 1e-12);
    free(workspace);
    free(again);
    free(sketch);
    xconv_plan_destroy(plan);
}

static void companions(const xconv_context *context)
{
    const float in[6] = {1, -2, 3, -4, 5, 6};
    const float dout[3] = {10, 20, 30};
    float out[6], pooled[3], din[6];
    uint8_t mask[1], index[1];
    xconv_pool_desc desc = XCONV_POOL_DESC_INIT;
    int64_t bits = 0;
    check_ok(xconv_relu_forward(context, XCONV_F32, 6, 0, INFINITY, in, out, mask, 1));
    CHECK(out[0] == 1 && out[1] == 0 && out[3] == 0 && out[5] == 6, "relu");
    check_ok(xconv_relu_backward(context, XCONV_F32, 6, 0, mask, 1, in, out));
    CHECK(out[0] == 1 && out[1] == 0 && out[3] == 0 && out[5] == 6, "relu backward");

    desc.rank = 1;
    desc.batch = 1;
    desc.channels = 1;
    desc.in_size[0] = 6;
    desc.kernel[0] = 2;
    desc.stride[0] = 2;
    check_ok(xconv_maxpool_query(&desc, XCONV_POOL_INDEX_BITS, &bits));
    CHECK(bits == 1, "a window of 2 takes %d bits", (int)bits);
    check_ok(xconv_maxpool_forward(context, &desc, in, pooled, index, 1));
    CHECK(pooled[0] == 1 && pooled[1] == 3 && pooled[2] == 6, "max pooling");
    check_ok(xconv_maxpool_backward(context, &desc, index, 1, dout, din));
    CHECK(din[0] == 10 && din[1] == 0 && din[2] == 20 && din[4] == 0 && din[5] == 30,
          "max pooling backward");
}

int main(void)
{
    xconv_scheme_desc scheme = XCONV_SCHEME_DESC_INIT;
    xconv_context *context = NULL;
    CHECK(xconv_version() ==
              XCONV_VERSION_MAJOR * 10000 + XCONV_VERSION_MINOR * 100 + XCONV_VERSION_PATCH,
          "version %d", (int)xconv_version());
    CHECK(strlen(xconv_git_hash()) > 0, "no git hash");
    CHECK(strstr(xconv_backends(), "cpu") != NULL, "backends: %s", xconv_backends());
    check_ok(xconv_context_create(NULL, &context));
    if (context == NULL) {
        return 1;
    }
    train(context, NULL, 1e-12);
    train(context, &scheme, 1e-12);
    /* A thousand probes: each entry's standard error is below |x| |dy| sqrt(2 / 1000),
     * with |x|^2 = 110 and |dy|^2 = 15: 1.8. Bound: 5 of them. */
    scheme.projection = XCONV_DENSE;
    scheme.probes = 1000;
    train(context, &scheme, 9.1);
    companions(context);
    xconv_context_destroy(context);
    printf("%s: %d failures\n", failures == 0 ? "passed" : "FAILED", failures);
    return failures == 0 ? 0 : 1;
}
