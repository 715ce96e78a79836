/* Descriptors with one bad field each. */
#include <string.h>

#include "bad_input.h"

struct desc_row {
    const char *name;
    struct change change;
    xconv_status status;
    const char *argument;
    const char *value; /* NULL where there is none to name */
};

/* Doubles, as the bits that a change writes. */
#define MINUS_ZERO_POINT_FIVE (INT64_MIN | INT64_C(0x3FE0000000000000))
#define NOT_A_NUMBER INT64_C(0x7FF8000000000000)

/* One row, one line. */
/* clang-format off */
static const struct desc_row context_rows[] = {
    {"unknown device", {FIELD(xconv_context_desc, device), 7}, XCONV_INVALID_ARGUMENT, "device", "7"},
    {"negative device", {FIELD(xconv_context_desc, device), -1}, XCONV_INVALID_ARGUMENT, "device", "-1"},
    {"second CPU", {FIELD(xconv_context_desc, device_index), 1}, XCONV_DEVICE_ERROR, "device_index", "1"},
    {"negative threads", {FIELD(xconv_context_desc, threads), -2}, XCONV_INVALID_ARGUMENT, "threads", "-2"},
    {"absurd threads", {FIELD(xconv_context_desc, threads), INT32_MAX}, XCONV_INVALID_ARGUMENT, "threads", "2147483647"},
    {"allow_tf32", {FIELD(xconv_context_desc, allow_tf32), 5}, XCONV_INVALID_ARGUMENT, "allow_tf32", "5"},
    {"stream", {FIELD(xconv_context_desc, stream), 0x40}, XCONV_INVALID_ARGUMENT, "stream", "0x40"},
    {"size 0", {FIELD(xconv_context_desc, struct_size), 0}, XCONV_INVALID_ARGUMENT, "struct_size", "0"},
    {"size 3", {FIELD(xconv_context_desc, struct_size), 3}, XCONV_INVALID_ARGUMENT, "struct_size", "3"},
    {"size -1", {FIELD(xconv_context_desc, struct_size), -1}, XCONV_INVALID_ARGUMENT, "struct_size", "18446744073709551615"},
};

static const struct desc_row conv_rows[] = {
    {"rank 0", {FIELD(xconv_conv_desc, rank), 0}, XCONV_INVALID_ARGUMENT, "rank", "0"},
    {"rank 4", {FIELD(xconv_conv_desc, rank), 4}, XCONV_INVALID_ARGUMENT, "rank", "4"},
    {"rank 3, third size unset", {FIELD(xconv_conv_desc, rank), 3}, XCONV_INVALID_ARGUMENT, "in_size[2]", "0"},
    {"unknown dtype", {FIELD(xconv_conv_desc, dtype), 11}, XCONV_INVALID_ARGUMENT, "dtype", "11"},
    {"flip 2", {FIELD(xconv_conv_desc, flip), 2}, XCONV_INVALID_ARGUMENT, "flip", "2"},
    {"float32_dw", {FIELD(xconv_conv_desc, float32_dw), 2}, XCONV_INVALID_ARGUMENT, "float32_dw", "2"},
    {"batch 0", {FIELD(xconv_conv_desc, batch), 0}, XCONV_INVALID_ARGUMENT, "batch", "0"},
    {"batch -3", {FIELD(xconv_conv_desc, batch), -3}, XCONV_INVALID_ARGUMENT, "batch", "-3"},
    {"batch huge", {FIELD(xconv_conv_desc, batch), HUGE_SIZE}, XCONV_OVERFLOW, "x", HUGE_TEXT},
    {"in_channels 0", {FIELD(xconv_conv_desc, in_channels), 0}, XCONV_INVALID_ARGUMENT, "in_channels", "0"},
    {"in_channels 5", {FIELD(xconv_conv_desc, in_channels), 5}, XCONV_INVALID_ARGUMENT, "in_channels", "5"},
    {"out_channels -1", {FIELD(xconv_conv_desc, out_channels), -1}, XCONV_INVALID_ARGUMENT, "out_channels", "-1"},
    {"out_channels 7", {FIELD(xconv_conv_desc, out_channels), 7}, XCONV_INVALID_ARGUMENT, "out_channels", "7"},
    {"groups 0", {FIELD(xconv_conv_desc, groups), 0}, XCONV_INVALID_ARGUMENT, "groups", "0"},
    {"groups 3", {FIELD(xconv_conv_desc, groups), 3}, XCONV_INVALID_ARGUMENT, "groups", "3"},
    {"in_size 0", {ENTRY(xconv_conv_desc, in_size, 0), 0}, XCONV_INVALID_ARGUMENT, "in_size[0]", "0"},
    {"in_size -8", {ENTRY(xconv_conv_desc, in_size, 1), -8}, XCONV_INVALID_ARGUMENT, "in_size[1]", "-8"},
    {"in_size huge", {ENTRY(xconv_conv_desc, in_size, 0), HUGE_SIZE}, XCONV_OVERFLOW, "pad_begin", HUGE_TEXT},
    {"kernel 0", {ENTRY(xconv_conv_desc, kernel, 1), 0}, XCONV_INVALID_ARGUMENT, "kernel[1]", "0"},
    {"kernel too large", {ENTRY(xconv_conv_desc, kernel, 0), 11}, XCONV_INVALID_ARGUMENT, "kernel[0]", "11"},
    {"kernel huge", {ENTRY(xconv_conv_desc, kernel, 0), HUGE_SIZE}, XCONV_INVALID_ARGUMENT, "kernel[0]", HUGE_TEXT},
    {"stride 0", {ENTRY(xconv_conv_desc, stride, 0), 0}, XCONV_INVALID_ARGUMENT, "stride[0]", "0"},
    {"stride -1", {ENTRY(xconv_conv_desc, stride, 1), -1}, XCONV_INVALID_ARGUMENT, "stride[1]", "-1"},
    {"dilation 0", {ENTRY(xconv_conv_desc, dilation, 1), 0}, XCONV_INVALID_ARGUMENT, "dilation[1]", "0"},
    {"dilation too large", {ENTRY(xconv_conv_desc, dilation, 0), 5}, XCONV_INVALID_ARGUMENT, "kernel[0]", "11"},
    {"dilation huge", {ENTRY(xconv_conv_desc, dilation, 0), HUGE_SIZE}, XCONV_OVERFLOW, "dilation", HUGE_TEXT},
    {"pad_begin -1", {ENTRY(xconv_conv_desc, pad_begin, 0), -1}, XCONV_INVALID_ARGUMENT, "pad_begin[0]", "-1"},
    {"pad_end -4", {ENTRY(xconv_conv_desc, pad_end, 1), -4}, XCONV_INVALID_ARGUMENT, "pad_end[1]", "-4"},
    {"pad_end huge", {ENTRY(xconv_conv_desc, pad_end, 1), HUGE_SIZE}, XCONV_OVERFLOW, "pad_end", HUGE_TEXT},
    {"size 0", {FIELD(xconv_conv_desc, struct_size), 0}, XCONV_INVALID_ARGUMENT, "struct_size", "0"},
    {"size 8", {FIELD(xconv_conv_desc, struct_size), 8}, XCONV_INVALID_ARGUMENT, "struct_size", "8"},
};

static const struct desc_row scheme_rows[] = {
    {"unknown projection", {FIELD(xconv_scheme_desc, projection), 4}, XCONV_INVALID_ARGUMENT, "projection", "4"},
    {"negative projection", {FIELD(xconv_scheme_desc, projection), -1}, XCONV_INVALID_ARGUMENT, "projection", "-1"},
    {"identity with probes", {FIELD(xconv_scheme_desc, projection), XCONV_IDENTITY}, XCONV_INVALID_ARGUMENT, "probes", "3"},
    {"unknown distribution", {FIELD(xconv_scheme_desc, distribution), 3}, XCONV_INVALID_ARGUMENT, "distribution", "3"},
    {"no probes", {FIELD(xconv_scheme_desc, probes), 0}, XCONV_INVALID_ARGUMENT, "probes", "0"},
    {"negative probes", {FIELD(xconv_scheme_desc, probes), -7}, XCONV_INVALID_ARGUMENT, "probes", "-7"},
    {"huge probes", {FIELD(xconv_scheme_desc, probes), HUGE_SIZE}, XCONV_OVERFLOW, "probes", HUGE_TEXT},
    {"deflate_mean 2", {FIELD(xconv_scheme_desc, deflate_mean), 2}, XCONV_INVALID_ARGUMENT, "deflate_mean", "2"},
    {"three bits", {FIELD(xconv_scheme_desc, bits), 3}, XCONV_INVALID_ARGUMENT, "bits", "3"},
    {"sixteen bits", {FIELD(xconv_scheme_desc, bits), 16}, XCONV_INVALID_ARGUMENT, "bits", "16"},
    {"negative bits", {FIELD(xconv_scheme_desc, bits), -1}, XCONV_INVALID_ARGUMENT, "bits", "-1"},
    {"negative group", {FIELD(xconv_scheme_desc, group), -8}, XCONV_INVALID_ARGUMENT, "group", "-8"},
    {"group of 12", {FIELD(xconv_scheme_desc, group), 12}, XCONV_INVALID_ARGUMENT, "group", "12"},
    {"group without bits", {FIELD(xconv_scheme_desc, group), 64}, XCONV_INVALID_ARGUMENT, "group", "64"},
    {"size 0", {FIELD(xconv_scheme_desc, struct_size), 0}, XCONV_INVALID_ARGUMENT, "struct_size", "0"},
};

static const struct desc_row options_rows[] = {
    {"unknown contraction", {FIELD(xconv_plan_options, contraction), 3}, XCONV_INVALID_ARGUMENT, "contraction", "3"},
    {"negative contraction", {FIELD(xconv_plan_options, contraction), -1}, XCONV_INVALID_ARGUMENT, "contraction", "-1"},
    {"reserved", {FIELD(xconv_plan_options, reserved), 9}, XCONV_INVALID_ARGUMENT, "reserved", "9"},
    {"negative limit", {FIELD(xconv_plan_options, workspace_limit), -5}, XCONV_INVALID_ARGUMENT, "workspace_limit", "-5"},
    {"size 1", {FIELD(xconv_plan_options, struct_size), 1}, XCONV_INVALID_ARGUMENT, "struct_size", "1"},
};

static const struct desc_row advise_rows[] = {
    {"one draw", {FIELD(xconv_advise_options, draws), 1}, XCONV_INVALID_ARGUMENT, "draws", "1"},
    {"negative draws", {FIELD(xconv_advise_options, draws), -4}, XCONV_INVALID_ARGUMENT, "draws", "-4"},
    {"absurd draws", {FIELD(xconv_advise_options, draws), INT32_MAX}, XCONV_INVALID_ARGUMENT, "draws", "2147483647"},
    {"reserved", {FIELD(xconv_advise_options, reserved), 3}, XCONV_INVALID_ARGUMENT, "reserved", "3"},
    {"negative budget", {FIELD(xconv_advise_options, budget_bytes), -1}, XCONV_INVALID_ARGUMENT, "budget_bytes", "-1"},
    {"max_noise", {FIELD(xconv_advise_options, max_noise), MINUS_ZERO_POINT_FIVE}, XCONV_INVALID_ARGUMENT, "max_noise", "-0.5"},
    {"seconds", {FIELD(xconv_advise_options, seconds), NOT_A_NUMBER}, XCONV_INVALID_ARGUMENT, "seconds", "nan"},
    {"size 0", {FIELD(xconv_advise_options, struct_size), 0}, XCONV_INVALID_ARGUMENT, "struct_size", "0"},
};

static const struct desc_row pool_rows[] = {
    {"rank 0", {FIELD(xconv_pool_desc, rank), 0}, XCONV_INVALID_ARGUMENT, "rank", "0"},
    {"rank 4", {FIELD(xconv_pool_desc, rank), 4}, XCONV_INVALID_ARGUMENT, "rank", "4"},
    {"unknown dtype", {FIELD(xconv_pool_desc, dtype), 12}, XCONV_INVALID_ARGUMENT, "dtype", "12"},
    {"batch 0", {FIELD(xconv_pool_desc, batch), 0}, XCONV_INVALID_ARGUMENT, "batch", "0"},
    {"batch huge", {FIELD(xconv_pool_desc, batch), HUGE_SIZE}, XCONV_OVERFLOW, "batch", HUGE_TEXT},
    {"channels -2", {FIELD(xconv_pool_desc, channels), -2}, XCONV_INVALID_ARGUMENT, "channels", "-2"},
    {"in_size 0", {ENTRY(xconv_pool_desc, in_size, 1), 0}, XCONV_INVALID_ARGUMENT, "in_size[1]", "0"},
    {"in_size huge", {ENTRY(xconv_pool_desc, in_size, 1), HUGE_SIZE}, XCONV_OVERFLOW, "x", HUGE_TEXT},
    {"kernel 0", {ENTRY(xconv_pool_desc, kernel, 0), 0}, XCONV_INVALID_ARGUMENT, "kernel[0]", "0"},
    {"kernel too large", {ENTRY(xconv_pool_desc, kernel, 1), 7}, XCONV_INVALID_ARGUMENT, "kernel[1]", "7"},
    {"stride 0", {ENTRY(xconv_pool_desc, stride, 0), 0}, XCONV_INVALID_ARGUMENT, "stride[0]", "0"},
    {"pad_begin -1", {ENTRY(xconv_pool_desc, pad_begin, 0), -1}, XCONV_INVALID_ARGUMENT, "pad_begin[0]", "-1"},
    {"first window empty", {ENTRY(xconv_pool_desc, pad_begin, 0), 3}, XCONV_INVALID_ARGUMENT, "pad_begin[0]", "3"},
    {"last window empty", {ENTRY(xconv_pool_desc, pad_end, 1), 4}, XCONV_INVALID_ARGUMENT, "pad_end[1]", "4"},
    {"size 0", {FIELD(xconv_pool_desc, struct_size), 0}, XCONV_INVALID_ARGUMENT, "struct_size", "0"},
};

/* clang-format on */

static void test_context_rows(void)
{
    size_t i;
    for (i = 0; i < COUNT(context_rows); ++i) {
        const struct desc_row *row = &context_rows[i];
        xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
        xconv_context *context = (xconv_context *)(void *)&desc;
        apply(&desc, &row->change);
        check_failure(row->name, "xconv_context_create", xconv_context_create(&desc, &context),
                      row->status, row->argument, row->value);
        CHECK((void *)context == (void *)&desc, "%s: *context was touched", row->name);
    }
}

/* One plan with one bad field in one of its three descriptors. */
static void test_plan_rows(const xconv_context *context, const char *which,
                           const struct desc_row *rows, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        xconv_conv_desc conv = good_conv;
        xconv_scheme_desc scheme = good_scheme;
        xconv_plan_options options = XCONV_PLAN_OPTIONS_INIT;
        xconv_plan *plan = (xconv_plan *)(void *)&conv;
        void *bad = strcmp(which, "conv") == 0     ? (void *)&conv
                    : strcmp(which, "scheme") == 0 ? (void *)&scheme
                                                   : (void *)&options;
        apply(bad, &rows[i].change);
        check_failure(rows[i].name, "xconv_plan_create",
                      xconv_plan_create(context, &conv, &scheme, &options, &plan), rows[i].status,
                      rows[i].argument, rows[i].value);
        CHECK((void *)plan == (void *)&conv, "%s: *plan was touched", rows[i].name);
    }
}

static void test_pool_rows(const xconv_context *context)
{
    size_t i;
    for (i = 0; i < COUNT(pool_rows); ++i) {
        const struct desc_row *row = &pool_rows[i];
        xconv_pool_desc desc = good_pool;
        int64_t value = 77;
        float buffer[4] = {1, 2, 3, 4};
        uint8_t index[4] = {5, 6, 7, 8};
        apply(&desc, &row->change);
        check_failure(row->name, "xconv_maxpool_query",
                      xconv_maxpool_query(&desc, XCONV_POOL_INDEX_BYTES, &value), row->status,
                      row->argument, row->value);
        check_failure(row->name, "xconv_maxpool_forward",
                      xconv_maxpool_forward(context, &desc, buffer, buffer + 2, index, 4),
                      row->status, row->argument, row->value);
        check_failure(row->name, "xconv_maxpool_backward",
                      xconv_maxpool_backward(context, &desc, index, 4, buffer, buffer + 2),
                      row->status, row->argument, row->value);
        CHECK(value == 77 && buffer[2] == 3 && index[0] == 5, "%s: outputs touched", row->name);
    }
}

static void test_advise_rows(const xconv_context *context)
{
    size_t i;
    for (i = 0; i < COUNT(advise_rows); ++i) {
        const struct desc_row *row = &advise_rows[i];
        xconv_advise_options options = XCONV_ADVISE_OPTIONS_INIT;
        int64_t value = 77;
        apply(&options, &row->change);
        check_failure(
            row->name, "xconv_advise_query",
            xconv_advise_query(context, &good_conv, &options, XCONV_ADVISE_WORKSPACE, &value),
            row->status, row->argument, row->value);
        CHECK(value == 77, "%s: *value was touched", row->name);
    }
}

/* A descriptor from a newer header: more bytes than this library knows. */
static void test_longer_descriptors(const xconv_context *context)
{
    struct {
        xconv_conv_desc desc;
        char tail[24];
    } longer = {good_conv, {0}};
    const xconv_plan *untouched = (const xconv_plan *)(const void *)&longer;
    xconv_plan *plan = NULL;
    longer.desc.struct_size = sizeof longer.desc + sizeof longer.tail;
    CHECK(xconv_plan_create(context, &longer.desc, NULL, NULL, &plan) == XCONV_SUCCESS,
          "a zero tail must be accepted: %s", xconv_last_error());
    xconv_plan_destroy(plan);
    plan = (xconv_plan *)(void *)&longer;
    longer.tail[23] = 1;
    check_failure("nonzero tail", "xconv_plan_create",
                  xconv_plan_create(context, &longer.desc, NULL, NULL, &plan),
                  XCONV_INVALID_ARGUMENT, "struct_size", NULL);
    CHECK(plan == untouched, "*plan was touched");
}

void test_descriptors(const xconv_context *context)
{
    test_context_rows();
    test_plan_rows(context, "conv", conv_rows, COUNT(conv_rows));
    test_plan_rows(context, "scheme", scheme_rows, COUNT(scheme_rows));
    test_plan_rows(context, "options", options_rows, COUNT(options_rows));
    test_pool_rows(context);
    test_advise_rows(context);
    test_longer_descriptors(context);
}
