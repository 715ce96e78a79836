/* Calls with one bad argument each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bad_calls.h"

enum { kBufferBytes = 8192, kGuardByte = 0xA5 }; /* of the arrays among the arguments */

/* One row, one line. */
/* clang-format off */
static const struct call_row call_rows[] = {
    IS_NULL_NAMED(context_create, new_context, "context"),
    IS_NULL(context_threads, context),
    IS_NULL(context_threads, threads),
    IS_NULL(plan_create, context),
    IS_NULL(plan_create, conv),
    IS_NULL_NAMED(plan_create, new_plan, "plan"),
    IS_NULL(plan_query, plan),
    IS_NULL(plan_query, value),
    {CALL(plan_query), {ARG(query), 99}, XCONV_INVALID_ARGUMENT, "query", "99"},
    {CALL(plan_query), {ARG(query), -1}, XCONV_INVALID_ARGUMENT, "query", "-1"},
    IS_NULL(plan_describe, plan),
    IS_NULL_NAMED(plan_describe, text, "buffer"),

    IS_NULL(forward, context),
    IS_NULL(forward, plan),
    IS_NULL(forward, x),
    IS_NULL(forward, w),
    IS_NULL(forward, y),
    IS_NULL(forward, sketch), /* while sketch_bytes says that one is wanted */
    TOO_SHORT(forward, sketch_bytes, 23, "23"),
    TOO_SHORT(forward, sketch_bytes, 0, "0"),
    IS_NULL(forward, workspace),
    TOO_SHORT(forward, workspace_bytes, 0, "0"),

    IS_NULL(sketch, context),
    IS_NULL(sketch, plan),
    IS_NULL(sketch, x),
    IS_NULL(sketch, sketch),
    TOO_SHORT(sketch, sketch_bytes, 23, "23"),
    IS_NULL(sketch, workspace),
    TOO_SHORT(sketch, workspace_bytes, 0, "0"),

    IS_NULL(backward_filter, context),
    IS_NULL(backward_filter, plan),
    IS_NULL(backward_filter, sketch),
    TOO_SHORT(backward_filter, sketch_bytes, 23, "23"),
    IS_NULL(backward_filter, dy),
    IS_NULL(backward_filter, dw),
    IS_NULL(backward_filter, workspace),
    TOO_SHORT(backward_filter, workspace_bytes, 1, "1"),

    IS_NULL(backward_filter_exact, context),
    IS_NULL(backward_filter_exact, plan),
    IS_NULL(backward_filter_exact, x),
    IS_NULL(backward_filter_exact, dy),
    IS_NULL(backward_filter_exact, dw),
    IS_NULL(backward_filter_exact, workspace),
    TOO_SHORT(backward_filter_exact, workspace_bytes, 1, "1"),

    IS_NULL(backward_data, context),
    IS_NULL(backward_data, plan),
    IS_NULL(backward_data, w),
    IS_NULL(backward_data, dy),
    IS_NULL(backward_data, dx),
    IS_NULL(backward_data, workspace),
    TOO_SHORT(backward_data, workspace_bytes, 0, "0"),

    IS_NULL(backward_bias, context),
    IS_NULL(backward_bias, plan),
    IS_NULL(backward_bias, dy),
    IS_NULL(backward_bias, db),

    IS_NULL_NAMED(relu_mask_bytes, value, "bytes"),
    {CALL(relu_mask_bytes), {ARG(count), -1}, XCONV_INVALID_ARGUMENT, "count", "-1"},

    IS_NULL(relu_forward, context),
    IS_NULL(relu_forward, x),
    IS_NULL(relu_forward, y),
    IS_NULL(relu_forward, mask), /* while mask_bytes says that one is wanted */
    TOO_SHORT(relu_forward, mask_bytes, 12, "12"),
    {CALL(relu_forward), {ARG(count), -1}, XCONV_INVALID_ARGUMENT, "count", "-1"},
    {CALL(relu_forward), {ARG(count), HUGE_SIZE}, XCONV_OVERFLOW, "count", HUGE_TEXT},
    {CALL(relu_forward), {ARG(dtype), 4}, XCONV_INVALID_ARGUMENT, "dtype", "4"},

    IS_NULL(relu_backward, context),
    IS_NULL(relu_backward, mask),
    IS_NULL(relu_backward, dy),
    IS_NULL(relu_backward, dx),
    TOO_SHORT(relu_backward, mask_bytes, 12, "12"),
    {CALL(relu_backward), {ARG(count), -9}, XCONV_INVALID_ARGUMENT, "count", "-9"},
    {CALL(relu_backward), {ARG(dtype), -1}, XCONV_INVALID_ARGUMENT, "dtype", "-1"},

    IS_NULL_NAMED(maxpool_query, pool, "desc"),
    IS_NULL(maxpool_query, value),
    {CALL(maxpool_query), {ARG(query), 5}, XCONV_INVALID_ARGUMENT, "query", "5"},
    IS_NULL(maxpool_forward, context),
    IS_NULL_NAMED(maxpool_forward, pool, "desc"),
    IS_NULL(maxpool_forward, x),
    IS_NULL(maxpool_forward, y),
    IS_NULL(maxpool_forward, index), /* while index_bytes says that one is wanted */
    TOO_SHORT(maxpool_forward, index_bytes, 11, "11"),
    IS_NULL(maxpool_backward, context),
    IS_NULL_NAMED(maxpool_backward, pool, "desc"),
    IS_NULL(maxpool_backward, index),
    IS_NULL(maxpool_backward, dy),
    IS_NULL(maxpool_backward, dx),
    TOO_SHORT(maxpool_backward, index_bytes, 11, "11"),

    IS_NULL(advise_query, context),
    IS_NULL(advise_query, conv),
    IS_NULL(advise_query, value),
    {CALL(advise_query), {ARG(query), 2}, XCONV_INVALID_ARGUMENT, "need", "2"},
    {CALL(advise_query), {ARG(query), -1}, XCONV_INVALID_ARGUMENT, "need", "-1"},
    IS_NULL(advise, context),
    IS_NULL(advise, conv),
    IS_NULL(advise, x),
    IS_NULL(advise, dy),
    IS_NULL(advise, advice),
    {CALL(advise), {ARG(entry_bytes), 8}, XCONV_INVALID_ARGUMENT, "entry_bytes", "8"},
    TOO_SHORT(advise, capacity, 4, "4"),
    IS_NULL_NAMED(advise, found, "count"),
    IS_NULL_NAMED(advise, scratch, "workspace"),
    {CALL(advise), {ARG(scratch_bytes), 100}, XCONV_BUFFER_TOO_SMALL, "workspace_bytes", "100"},
};
/* clang-format on */

/* Arguments that are all right; every array lies in `memory`, one after the
 * other, so that one comparison tells whether any of them was touched. */
enum { kArrays = 13 };
static struct arguments good_arguments(const xconv_context *context, const xconv_plan *plan,
                                       unsigned char *memory)
{
    static xconv_context *new_context;
    static xconv_plan *new_plan;
    static int64_t value;
    static int32_t threads;
    static size_t found;
    static char text[8];
    static const xconv_advise_options options = {sizeof options, 2, 0, 0, 0, 1e-9, 0};
    struct arguments a = {0};
    void *advice = NULL;
    void **arrays[kArrays] = {&a.x,  &a.w,      &a.bias,      &a.y,    &a.dy,    &a.dw,  &a.dx,
                              &a.db, &a.sketch, &a.workspace, &a.mask, &a.index, &advice};
    size_t i;
    for (i = 0; i < kArrays; ++i) {
        *arrays[i] = memory + i * kBufferBytes;
    }
    a.context = context;
    a.plan = plan;
    a.conv = &good_conv;
    a.pool = &good_pool;
    a.sketch_bytes = 2 * 3 * sizeof(float);
    a.workspace_bytes = kBufferBytes;
    a.mask_bytes = 13;
    a.index_bytes = 12; /* 2 * 3 * 2 * 2 outputs of 4 bits */
    a.ceiling = INFINITY;
    a.count = 100;
    a.value = &value;
    a.threads = &threads;
    a.text = text;
    a.text_bytes = sizeof text;
    a.new_context = &new_context;
    a.new_plan = &new_plan;
    a.options = &options;
    a.advice = advice;
    a.entry_bytes = sizeof(xconv_advice);
    a.capacity = kBufferBytes / sizeof(xconv_advice);
    a.found = &found;
    return a;
}

static int all_guard_bytes(const unsigned char *memory, size_t size)
{
    size_t i;
    for (i = 0; i < size; ++i) {
        if (memory[i] != kGuardByte) {
            return 0;
        }
    }
    return 1;
}

void check_call(const struct call_row *row, struct arguments *a, const unsigned char *memory)
{
    char name[128];
    snprintf(name, sizeof name, "%s, %s = %s", row->function, row->argument, row->value);
    check_failure(name, row->function, row->call(a), row->status, row->argument, row->value);
    CHECK(all_guard_bytes(memory, kArrays * (size_t)kBufferBytes), "%s: outputs were touched",
          name);
}

/* Values that a table of integers cannot hold. */
static void test_bad_numbers(const struct arguments *good, const unsigned char *memory)
{
    const struct {
        struct call_row row;
        double beta, negative_slope, ceiling;
    } rows[] = {
        {{CALL(relu_forward), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "ceiling", "6"}, 0, 0.5, 6},
        {{CALL(relu_forward), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "ceiling", "nan"}, 0, 0, NAN},
        {{CALL(relu_forward), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "negative_slope", "nan"},
         0,
         NAN,
         INFINITY},
        {{CALL(backward_filter), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "beta", "nan"},
         NAN,
         0,
         INFINITY},
        {{CALL(backward_filter_exact), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "beta", "inf"},
         INFINITY,
         0,
         INFINITY},
        {{CALL(relu_backward), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "negative_slope", "-1e+39"},
         0,
         -1e39,
         INFINITY},
        {{CALL(relu_forward), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "ceiling", "1e+39"}, 0, 0, 1e39},
        {{CALL(backward_filter), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "beta", "1e+300"},
         1e300,
         0,
         INFINITY},
        {{CALL(backward_bias), {0, 0, 0}, XCONV_INVALID_ARGUMENT, "beta", "-inf"},
         -INFINITY,
         0,
         INFINITY},
    };
    size_t i;
    for (i = 0; i < COUNT(rows); ++i) {
        struct arguments a = *good;
        a.beta = rows[i].beta;
        a.negative_slope = rows[i].negative_slope;
        a.ceiling = rows[i].ceiling;
        check_call(&rows[i].row, &a, memory);
    }
}

/* A plan for one thread on a context of two. */
static void test_mismatch(const struct arguments *good, const unsigned char *memory)
{
    static const struct call_row rows[] = {
        {CALL(forward), {0, 0, 0}, XCONV_MISMATCH, "plan", "2"},
        {CALL(sketch), {0, 0, 0}, XCONV_MISMATCH, "plan", "2"},
        {CALL(backward_filter), {0, 0, 0}, XCONV_MISMATCH, "plan", "2"},
        {CALL(backward_filter_exact), {0, 0, 0}, XCONV_MISMATCH, "plan", "2"},
        {CALL(backward_data), {0, 0, 0}, XCONV_MISMATCH, "plan", "2"},
        {CALL(backward_bias), {0, 0, 0}, XCONV_MISMATCH, "plan", "2"},
    };
    xconv_context *other = context_of(2);
    struct arguments a = *good;
    size_t i;
    a.context = other;
    for (i = 0; i < COUNT(rows); ++i) {
        check_call(&rows[i], &a, memory);
    }
    xconv_context_destroy(other);
}

static xconv_status (*const all_calls[])(struct arguments *) = {
    call_context_threads, call_plan_query,      call_plan_describe,         call_forward,
    call_sketch,          call_backward_filter, call_backward_filter_exact, call_backward_data,
    call_backward_bias,   call_relu_mask_bytes, call_relu_forward,          call_relu_backward,
    call_maxpool_query,   call_maxpool_forward, call_maxpool_backward,      call_advise_query,
    call_advise};

/* The rows say something only if the unchanged arguments are accepted, and
 * workspaces only if they are exactly as long as asked for. */
static void test_good_arguments(const struct arguments *good)
{
    size_t i;
    for (i = 0; i < COUNT(all_calls); ++i) {
        struct arguments a = *good;
        CHECK(all_calls[i](&a) == XCONV_SUCCESS, "call %d: %s", (int)i, xconv_last_error());
    }
}

void test_calls(const xconv_context *context)
{
    const size_t size = kArrays * (size_t)kBufferBytes;
    unsigned char *memory = malloc(size);
    xconv_plan *plan = NULL;
    int64_t workspace = 0;
    struct arguments good;
    size_t i;
    CHECK(memory != NULL, "no memory");
    CHECK(xconv_plan_create(context, &good_conv, &good_scheme, NULL, &plan) == XCONV_SUCCESS, "%s",
          xconv_last_error());
    if (memory == NULL || plan == NULL) {
        return;
    }
    memset(memory, kGuardByte, size);
    good = good_arguments(context, plan, memory);
    xconv_plan_query(plan, XCONV_QUERY_WORKSPACE_MAX, &workspace);
    good.workspace = malloc((size_t)workspace + 1);
    good.workspace_bytes = (size_t)workspace;
    xconv_advise_query(context, &good_conv, NULL, XCONV_ADVISE_WORKSPACE, &workspace);
    good.scratch = malloc((size_t)workspace);
    good.scratch_bytes = (size_t)workspace;
    for (i = 0; i < COUNT(call_rows); ++i) {
        struct arguments a = good;
        apply(&a, &call_rows[i].change);
        check_call(&call_rows[i], &a, memory);
    }
    test_bad_numbers(&good, memory);
    test_arrays(&good, memory);
    test_mismatch(&good, memory);
    test_good_arguments(&good); /* last: it writes */
    free(good.scratch);
    free(good.workspace);
    xconv_plan_destroy(plan);
    free(memory);
}
