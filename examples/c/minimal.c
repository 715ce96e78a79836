/* One convolution from C: a forward pass that keeps a sketch instead of x, and
 * the filter gradient from that sketch. Checks at the end what the library
 * promises: the mean of many estimates is the exact gradient. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <xconv/xconv.h>

enum { BATCH = 8, IN = 4, OUT = 8, SIZE = 16, TAPS = 9, STEPS = 400 };
enum { LAYERS = 1, LAYER = 0 }; /* of the network: this one and no other */
enum { X = BATCH * IN * SIZE * SIZE, W = OUT * IN * TAPS, Y = BATCH * OUT * SIZE * SIZE };

static float x[X], w[W], bias[OUT], y[Y], dy[Y], dw[W];
static double sum[W], square[W];

static void check(xconv_status status)
{
    if (status != XCONV_SUCCESS) {
        fprintf(stderr, "%s: %s\n", xconv_status_name(status), xconv_last_error());
        exit(EXIT_FAILURE);
    }
}

/* Numbers on [low, high) that are the same on every machine. */
static void fill(float *array, int count, float low, float high)
{
    static uint32_t state = 1;
    for (int i = 0; i < count; ++i) {
        state = state * 1664525U + 1013904223U;
        array[i] = low + (high - low) * (float)(state >> 8) / 16777216.0F;
    }
}

/* What a training program would do to w. This one adds up the gradients and their
 * squares. */
static void update(const float *gradient)
{
    for (int i = 0; i < W; ++i) {
        const double value = (double)gradient[i];
        sum[i] += value;
        square[i] += value * value;
    }
}

int main(void)
{
    fill(x, X, 0.0F, 1.0F);
    fill(w, W, -0.5F, 0.5F);
    fill(dy, Y, -1.0F, 1.0F);

    xconv_context *context = NULL;
    xconv_plan *plan = NULL;
    int64_t kept = 0, scratch = 0;
    /* clang-format off: short enough for the README */
    /* [readme] */
    xconv_conv_desc conv = {
        sizeof conv,       .rank = 2,           .batch = BATCH,          .groups = 1,
        .in_channels = IN, .out_channels = OUT, .in_size = {SIZE, SIZE}, .kernel = {3, 3},
        .stride = {1, 1},  .dilation = {1, 1},  .pad_begin = {1, 1},     .pad_end = {1, 1}};
    xconv_scheme_desc scheme = {sizeof scheme, .projection = XCONV_IDENTITY, .bits = 2};
    check(xconv_context_create(NULL, &context));
    check(xconv_plan_create(context, &conv, &scheme, NULL, &plan));
    check(xconv_plan_query(plan, XCONV_QUERY_SKETCH_BYTES, &kept));
    check(xconv_plan_query(plan, XCONV_QUERY_WORKSPACE_MAX, &scratch));
    void *sketch = malloc(kept), *work = malloc(scratch);
    for (uint64_t step = 0; step < STEPS; ++step) {
        uint64_t seed = step * LAYERS + LAYER; /* new in every step and layer */
        check(xconv_forward(context, plan, x, w, bias, y, seed, sketch, kept, work, scratch));
        /* x may go now */
        check(xconv_backward_filter(context, plan, sketch, kept, seed, dy, 0, dw, work, scratch));
        update(dw);
    }
    /* [readme] */
    /* clang-format on */

    check(xconv_backward_filter_exact(context, plan, x, dy, 0, dw, work, scratch));
    double one = 0, all = 0; /* squared distance of an estimate, and of the mean of all */
    for (int i = 0; i < W; ++i) {
        const double exact = (double)dw[i], mean = sum[i] / STEPS;
        one += square[i] / STEPS - 2 * mean * exact + exact * exact;
        all += (mean - exact) * (mean - exact);
    }
    /* Independent unbiased estimates: the mean of n is sqrt(n) times closer. A bias, or a
     * seed that stays, would keep it away. A fifth less than that is left to chance. */
    const double closer = sqrt(one / all);
    printf("x has %zu bytes, its sketch %lld\n", sizeof x, (long long)kept);
    printf("the mean of %d estimates is %.1f times closer than one; %.1f expected\n", STEPS, closer,
           sqrt(STEPS));

    free(sketch);
    free(work);
    xconv_plan_destroy(plan);
    xconv_context_destroy(context);
    return closer > 0.8 * sqrt(STEPS) ? EXIT_SUCCESS : EXIT_FAILURE;
}
