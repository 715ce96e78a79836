/* Calls with arrays that overlap, begin within an element, or are too short. */
#include <string.h>

#include "bad_calls.h"

/* An output that begins inside another argument. */
static void test_overlaps(const struct arguments *good, const unsigned char *memory)
{
#define OVERLAP(name, output, other) OVERLAP_NAMED(name, output, other, #output)
#define OVERLAP_NAMED(name, output, other, word)                                                   \
    {                                                                                              \
        {CALL(name), {0, 0, 0}, XCONV_INVALID_ARGUMENT, word, "overlap"},                          \
            offsetof(struct arguments, output), offsetof(struct arguments, other)                  \
    }
    static const struct {
        struct call_row row;
        size_t output, other;
    } rows[] = {
        OVERLAP(forward, y, x),
        OVERLAP(forward, y, w),
        OVERLAP(forward, y, bias),
        OVERLAP(forward, sketch, x),
        OVERLAP(forward, y, sketch),
        OVERLAP(forward, workspace, x),
        OVERLAP(sketch, sketch, x),
        OVERLAP(sketch, workspace, x),
        OVERLAP(backward_filter, dw, sketch),
        OVERLAP(backward_filter, dw, dy),
        OVERLAP(backward_filter, workspace, sketch),
        OVERLAP(backward_filter_exact, dw, x),
        OVERLAP(backward_filter_exact, workspace, dy),
        OVERLAP(backward_data, dx, dy),
        OVERLAP(backward_data, dx, w),
        OVERLAP(backward_data, workspace, dy),
        OVERLAP(backward_bias, db, dy),
        OVERLAP(relu_forward, y, x),
        OVERLAP(relu_forward, mask, x),
        OVERLAP(relu_forward, mask, y),
        OVERLAP(relu_backward, dx, dy),
        OVERLAP(relu_backward, dx, mask),
        OVERLAP(maxpool_forward, y, x),
        OVERLAP(maxpool_forward, index, x),
        OVERLAP(maxpool_backward, dx, dy),
        OVERLAP(maxpool_backward, dx, index),
        OVERLAP_NAMED(advise, scratch, x, "workspace"),
        OVERLAP_NAMED(advise, scratch, dy, "workspace"),
    };
#undef OVERLAP_NAMED
#undef OVERLAP
    size_t i;
    for (i = 0; i < COUNT(rows); ++i) {
        struct arguments a = *good;
        char *arguments = (char *)&a;
        char *other;
        memcpy(&other, arguments + rows[i].other, sizeof other);
        other += sizeof(float);
        memcpy(arguments + rows[i].output, &other, sizeof other);
        check_call(&rows[i].row, &a, memory);
    }
}

static size_t bytes_of(const struct arguments *a, xconv_query query)
{
    int64_t bytes = 0;
    xconv_plan_query(a->plan, query, &bytes);
    return (size_t)bytes;
}

/* An argument whose first element is the last one of an output, and, unless that is a
 * workspace, one whose last element is the first one of it. */
static void test_overlapping_ends(const struct arguments *good, const unsigned char *memory)
{
#define ENDS(name, output, output_query, other, other_query)                                       \
    {                                                                                              \
        {CALL(name), {0, 0, 0}, XCONV_INVALID_ARGUMENT, #output, "overlap"},                       \
            offsetof(struct arguments, output), XCONV_QUERY_##output_query,                        \
            offsetof(struct arguments, other), XCONV_QUERY_##other_query                           \
    }
    static const struct {
        struct call_row row;
        size_t output;
        xconv_query output_query;
        size_t other;
        xconv_query other_query;
    } rows[] = {
        ENDS(forward, y, Y_BYTES, x, X_BYTES),
        ENDS(forward, y, Y_BYTES, w, W_BYTES),
        ENDS(forward, y, Y_BYTES, bias, BIAS_BYTES),
        ENDS(forward, y, Y_BYTES, sketch, SKETCH_BYTES),
        ENDS(forward, sketch, SKETCH_BYTES, x, X_BYTES),
        ENDS(forward, workspace, WORKSPACE_FORWARD, w, W_BYTES),
        ENDS(sketch, sketch, SKETCH_BYTES, x, X_BYTES),
        ENDS(sketch, workspace, WORKSPACE_SKETCH, x, X_BYTES),
        ENDS(backward_filter, dw, DW_BYTES, sketch, SKETCH_BYTES),
        ENDS(backward_filter, dw, DW_BYTES, dy, Y_BYTES),
        ENDS(backward_filter, workspace, WORKSPACE_BACKWARD_FILTER, dy, Y_BYTES),
        ENDS(backward_filter_exact, dw, DW_BYTES, x, X_BYTES),
        ENDS(backward_filter_exact, dw, DW_BYTES, dy, Y_BYTES),
        ENDS(backward_filter_exact, workspace, WORKSPACE_BACKWARD_FILTER_EXACT, x, X_BYTES),
        ENDS(backward_data, dx, X_BYTES, w, W_BYTES),
        ENDS(backward_data, dx, X_BYTES, dy, Y_BYTES),
        ENDS(backward_data, workspace, WORKSPACE_BACKWARD_DATA, w, W_BYTES),
        ENDS(backward_bias, db, DB_BYTES, dy, Y_BYTES),
    };
#undef ENDS
    const size_t workspace = offsetof(struct arguments, workspace);
    size_t i;
    for (i = 0; i < COUNT(rows); ++i) {
        struct arguments a = *good;
        char *arguments = (char *)&a;
        char *output;
        char *other;
        memcpy(&output, arguments + rows[i].output, sizeof output);
        other = output + bytes_of(good, rows[i].output_query) - sizeof(float);
        memcpy(arguments + rows[i].other, &other, sizeof other);
        check_call(&rows[i].row, &a, memory);
        if (rows[i].output != workspace) {
            other = output + sizeof(float) - bytes_of(good, rows[i].other_query);
            memcpy(arguments + rows[i].other, &other, sizeof other);
            check_call(&rows[i].row, &a, memory);
        }
    }
}

struct misaligned_row {
    struct call_row row;
    size_t field;
};

static void check_misaligned(const struct misaligned_row *rows, size_t count,
                             const struct arguments *good, const unsigned char *memory)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        struct arguments a = *good;
        char *arguments = (char *)&a;
        char *array;
        memcpy(&array, arguments + rows[i].field, sizeof array);
        array += sizeof(float) / 2;
        memcpy(arguments + rows[i].field, &array, sizeof array);
        check_call(&rows[i].row, &a, memory);
    }
}

/* An array of elements that begins within one. */
static void test_misaligned(const struct arguments *good, const unsigned char *memory)
{
#define MISALIGNED(name, field) MISALIGNED_NAMED(name, field, #field)
#define MISALIGNED_NAMED(name, field, word)                                                        \
    {                                                                                              \
        {CALL(name), {0, 0, 0}, XCONV_INVALID_ARGUMENT, word, "aligned"},                          \
            offsetof(struct arguments, field)                                                      \
    }
    static const struct misaligned_row rows[] = {
        MISALIGNED(forward, x),
        MISALIGNED(forward, w),
        MISALIGNED(forward, bias),
        MISALIGNED(forward, y),
        MISALIGNED(forward, sketch),
        MISALIGNED(sketch, x),
        MISALIGNED(sketch, sketch),
        MISALIGNED(backward_filter, sketch),
        MISALIGNED(backward_filter, dy),
        MISALIGNED(backward_filter, dw),
        MISALIGNED(backward_filter_exact, x),
        MISALIGNED(backward_filter_exact, dy),
        MISALIGNED(backward_filter_exact, dw),
        MISALIGNED(backward_data, w),
        MISALIGNED(backward_data, dy),
        MISALIGNED(backward_data, dx),
        MISALIGNED(backward_bias, dy),
        MISALIGNED(backward_bias, db),
        MISALIGNED(relu_forward, x),
        MISALIGNED(relu_forward, y),
        MISALIGNED(relu_backward, dy),
        MISALIGNED(relu_backward, dx),
        MISALIGNED(maxpool_forward, x),
        MISALIGNED(maxpool_forward, y),
        MISALIGNED(maxpool_backward, dy),
        MISALIGNED(maxpool_backward, dx),
        MISALIGNED(advise, x),
        MISALIGNED(advise, dy),
    };
    /* What is Float32 beside tensors of Float16. */
    static const struct misaligned_row wide_rows[] = {
        MISALIGNED(forward, sketch),           MISALIGNED(sketch, sketch),
        MISALIGNED(backward_filter, sketch),   MISALIGNED(backward_filter, dw),
        MISALIGNED(backward_filter_exact, dw), MISALIGNED(backward_bias, db),
    };
#undef MISALIGNED_NAMED
#undef MISALIGNED
    xconv_conv_desc halves = good_conv;
    struct arguments a = *good;
    xconv_plan *plan = NULL;
    check_misaligned(rows, COUNT(rows), good, memory);
    halves.dtype = XCONV_F16;
    halves.float32_dw = 1;
    CHECK(xconv_plan_create(good->context, &halves, &good_scheme, NULL, &plan) == XCONV_SUCCESS,
          "%s", xconv_last_error());
    a.plan = plan;
    check_misaligned(wide_rows, COUNT(wide_rows), &a, memory);
    xconv_plan_destroy(plan);
}

/* One byte less than the plan asks for, pass by pass. */
static void test_short_workspaces(const struct arguments *good, const unsigned char *memory)
{
    static const struct {
        xconv_query query;
        struct call_row row;
    } rows[] = {
        {XCONV_QUERY_WORKSPACE_FORWARD,
         {CALL(forward), {0, 0, 0}, XCONV_BUFFER_TOO_SMALL, "workspace_bytes", NULL}},
        {XCONV_QUERY_WORKSPACE_SKETCH,
         {CALL(sketch), {0, 0, 0}, XCONV_BUFFER_TOO_SMALL, "workspace_bytes", NULL}},
        {XCONV_QUERY_WORKSPACE_BACKWARD_FILTER,
         {CALL(backward_filter), {0, 0, 0}, XCONV_BUFFER_TOO_SMALL, "workspace_bytes", NULL}},
        {XCONV_QUERY_WORKSPACE_BACKWARD_FILTER_EXACT,
         {CALL(backward_filter_exact), {0, 0, 0}, XCONV_BUFFER_TOO_SMALL, "workspace_bytes", NULL}},
        {XCONV_QUERY_WORKSPACE_BACKWARD_DATA,
         {CALL(backward_data), {0, 0, 0}, XCONV_BUFFER_TOO_SMALL, "workspace_bytes", NULL}},
    };
    size_t i;
    for (i = 0; i < COUNT(rows); ++i) {
        struct arguments a = *good;
        int64_t needed = 0;
        xconv_plan_query(good->plan, rows[i].query, &needed);
        if (needed > 0) {
            a.workspace_bytes = (size_t)needed - 1;
            check_call(&rows[i].row, &a, memory);
        }
    }
}

void test_arrays(const struct arguments *good, const unsigned char *memory)
{
    test_overlaps(good, memory);
    test_overlapping_ends(good, memory);
    test_misaligned(good, memory);
    test_short_workspaces(good, memory);
}
