/* A C99 program beside an installed xconv: one small convolution whose output and
 * filter gradient are also computed here, loop by loop. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xconv/xconv.h>

enum { B = 2, CI = 2, CO = 3, H = 5, W = 4, K = 3, STRIDE = 2, PAD = 1 };
enum { OH = (H + 2 * PAD - K) / STRIDE + 1, OW = (W + 2 * PAD - K) / STRIDE + 1 };

static float x[B][CI][H][W], w[CO][CI][K][K], y[B][CO][OH][OW], dy[B][CO][OH][OW];
static float dw[CO][CI][K][K];
static double expected_y[B][CO][OH][OW], expected_dw[CO][CI][K][K];

static void require(xconv_status status)
{
    if (status != XCONV_SUCCESS) {
        fprintf(stderr, "%s: %s\n", xconv_status_name(status), xconv_last_error());
        exit(1);
    }
}

/* Small integers: every sum below is exact in float. */
static void fill(float *values, size_t count, int step)
{
    for (size_t i = 0; i < count; ++i)
        values[i] = (float)((int)(i * (size_t)step % 7) - 3);
}

static void visit(int b, int o, int i, int oh, int ow)
{
    for (int kh = 0; kh < K; ++kh) {
        for (int kw = 0; kw < K; ++kw) {
            const int h = oh * STRIDE + kh - PAD;
            const int v = ow * STRIDE + kw - PAD;
            if (h < 0 || h >= H || v < 0 || v >= W)
                continue;
            expected_y[b][o][oh][ow] += (double)w[o][i][kh][kw] * x[b][i][h][v];
            expected_dw[o][i][kh][kw] += (double)dy[b][o][oh][ow] * x[b][i][h][v];
        }
    }
}

static void compute_expected(void)
{
    for (int b = 0; b < B; ++b)
        for (int o = 0; o < CO; ++o)
            for (int i = 0; i < CI; ++i)
                for (int oh = 0; oh < OH; ++oh)
                    for (int ow = 0; ow < OW; ++ow)
                        visit(b, o, i, oh, ow);
}

static int differ(const char *name, const float *got, const double *want, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        if (fabs((double)got[i] - want[i]) > 1e-4) {
            fprintf(stderr, "%s[%d] is %g, not %g\n", name, (int)i, (double)got[i], want[i]);
            return 1;
        }
    }
    return 0;
}

int main(void)
{
    xconv_context *context = NULL;
    xconv_plan *plan = NULL;
    xconv_conv_desc conv = XCONV_CONV_DESC_INIT;
    int64_t sketch_bytes = 0, workspace_bytes = 0;
    void *sketch, *workspace;
    int failed;

    if (xconv_version() / 10000 != XCONV_VERSION_MAJOR)
        return 1;
    fill(&x[0][0][0][0], sizeof x / sizeof(float), 3);
    fill(&w[0][0][0][0], sizeof w / sizeof(float), 5);
    fill(&dy[0][0][0][0], sizeof dy / sizeof(float), 2);
    compute_expected();

    conv.rank = 2;
    conv.batch = B;
    conv.in_channels = CI;
    conv.out_channels = CO;
    conv.in_size[0] = H;
    conv.in_size[1] = W;
    for (int axis = 0; axis < 2; ++axis) {
        conv.kernel[axis] = K;
        conv.stride[axis] = STRIDE;
        conv.pad_begin[axis] = conv.pad_end[axis] = PAD;
    }
    require(xconv_context_create(NULL, &context));
    require(xconv_plan_create(context, &conv, NULL, NULL, &plan));
    require(xconv_plan_query(plan, XCONV_QUERY_SKETCH_BYTES, &sketch_bytes));
    require(xconv_plan_query(plan, XCONV_QUERY_WORKSPACE_MAX, &workspace_bytes));
    sketch = malloc((size_t)sketch_bytes);
    workspace = malloc((size_t)workspace_bytes + 1); /* 0 bytes may give NULL */
    if (!sketch || !workspace)
        return 1;

    require(xconv_forward(context, plan, x, w, NULL, y, 42, sketch, (size_t)sketch_bytes, workspace,
                          (size_t)workspace_bytes));
    require(xconv_backward_filter(context, plan, sketch, (size_t)sketch_bytes, 42, dy, 0.0, dw,
                                  workspace, (size_t)workspace_bytes));
    failed = differ("y", &y[0][0][0][0], &expected_y[0][0][0][0], sizeof y / sizeof(float)) ||
             differ("dw", &dw[0][0][0][0], &expected_dw[0][0][0][0], sizeof dw / sizeof(float));

    free(sketch);
    free(workspace);
    xconv_plan_destroy(plan);
    xconv_context_destroy(context);
    return failed;
}
