/* One convolution from C: a forward pass that keeps a sketch instead of x, and
 * the filter gradient from that sketch. Checks at the end what the library
 * promises: the mean of many estimates is the exact gradient. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <xconv/xconv.h>

enum { BATCH = 8, IN = 4, OUT = 8, SIZE = 16, TAPS = 9, DRAWS = 400 };
enum { X = BATCH * IN * SIZE * SIZE, W = OUT * IN * TAPS, Y = BATCH * OUT * SIZE * SIZE };

static float x[X], w[W], bias[OUT], y[Y], dy[Y], dw[W], exact[W];
static double mean[W];

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

/* Squared distance of an estimate, times `scale`, from the exact gradient. */
static double distance2(const double *estimate, double scale)
{
    double sum = 0;
    for (int i = 0; i < W; ++i) {
        const double error = estimate[i] * scale - (double)exact[i];
        sum += error * error;
    }
    return sum;
}

int main(void)
{
    fill(x, X, 0.0F, 1.0F);
    fill(w, W, -0.5F, 0.5F);
    fill(dy, Y, -1.0F, 1.0F);

    uint64_t seed = 1;
    xconv_context *context = NULL;
    xconv_plan *plan = NULL;
    int64_t kept = 0, scratch = 0;
    /* clang-format off: short enough for the README */
    /* [readme] */
    xconv_conv_desc conv = {
        sizeof conv,       .rank = 2,           .batch = BATCH,          .groups = 1,
        .in_channels = IN, .out_channels = OUT, .in_size = {SIZE, SIZE}, .kernel = {3, 3},
        .stride = {1, 1},  .dilation = {1, 1},  .pad_begin = {1, 1},     .pad_end = {1, 1}};
    xconv_scheme_desc scheme = {sizeof scheme, XCONV_DENSE, XCONV_RADEMACHER, .probes = 32};
    check(xconv_context_create(NULL, &context));
    check(xconv_plan_create(context, &conv, &scheme, NULL, &plan));
    check(xconv_plan_query(plan, XCONV_QUERY_SKETCH_BYTES, &kept));
    check(xconv_plan_query(plan, XCONV_QUERY_WORKSPACE_MAX, &scratch));
    void *sketch = malloc(kept), *work = malloc(scratch);
    check(xconv_forward(context, plan, x, w, bias, y, seed, sketch, kept, work, scratch));
    check(xconv_backward_filter(context, plan, sketch, kept, seed, dy, 0, dw, work, scratch));
    /* [readme] */
    /* clang-format on */

    check(xconv_backward_filter_exact(context, plan, x, dy, 0, exact, work, scratch));
    double spread = 0; /* mean squared distance of a single estimate */
    for (seed = 1; seed <= DRAWS; ++seed) {
        double one[W];
        check(xconv_sketch(context, plan, x, seed, sketch, kept, work, scratch));
        check(xconv_backward_filter(context, plan, sketch, kept, seed, dy, 0, dw, work, scratch));
        for (int i = 0; i < W; ++i) {
            one[i] = (double)dw[i];
            mean[i] += one[i];
        }
        spread += distance2(one, 1.0) / (double)DRAWS;
    }
    /* Independent unbiased estimates: the mean of n is sqrt(n) times closer. Any
     * bias would stay. A quarter more than that is left to chance. */
    const double closer = sqrt(spread / distance2(mean, 1.0 / (double)DRAWS));
    printf("x has %zu bytes, its sketch %lld\n", sizeof x, (long long)kept);
    printf("the mean of %d estimates is %.1f times closer than one; %.1f expected\n", DRAWS, closer,
           sqrt(DRAWS));

    free(sketch);
    free(work);
    xconv_plan_destroy(plan);
    xconv_context_destroy(context);
    return closer > 0.8 * sqrt(DRAWS) ? EXIT_SUCCESS : EXIT_FAILURE;
}
