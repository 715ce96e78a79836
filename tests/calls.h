/* The calls of the library with their arguments in one struct, so that tables can
 * hold them. */
#ifndef XCONV_TESTS_CALLS_H
#define XCONV_TESTS_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <xconv/xconv.h>

/* Everything any call takes. */
struct arguments {
    const xconv_context *context;
    const xconv_plan *plan;
    const xconv_conv_desc *conv;
    const xconv_pool_desc *pool;
    void *x, *w, *bias, *y, *dy, *dw, *dx, *db, *sketch, *workspace, *mask, *index;
    size_t sketch_bytes, workspace_bytes, mask_bytes, index_bytes;
    double beta, negative_slope, ceiling;
    int64_t count;
    int32_t dtype, query;
    int64_t *value;
    int32_t *threads;
    char *text;
    size_t text_bytes;
    xconv_context **new_context;
    xconv_plan **new_plan;
    const xconv_advise_options *options;
    xconv_advice *advice;
    size_t entry_bytes, capacity;
    size_t *found;
    void *scratch; /* the workspace of xconv_advise */
    size_t scratch_bytes;
};

xconv_status call_context_create(struct arguments *);
xconv_status call_context_threads(struct arguments *);
xconv_status call_plan_create(struct arguments *);
xconv_status call_plan_query(struct arguments *);
xconv_status call_plan_describe(struct arguments *);
xconv_status call_forward(struct arguments *);
xconv_status call_sketch(struct arguments *);
xconv_status call_backward_filter(struct arguments *);
xconv_status call_backward_filter_exact(struct arguments *);
xconv_status call_backward_data(struct arguments *);
xconv_status call_backward_bias(struct arguments *);
xconv_status call_relu_mask_bytes(struct arguments *);
xconv_status call_relu_forward(struct arguments *);
xconv_status call_relu_backward(struct arguments *);
xconv_status call_maxpool_query(struct arguments *);
xconv_status call_maxpool_forward(struct arguments *);
xconv_status call_maxpool_backward(struct arguments *);
xconv_status call_advise_query(struct arguments *);
xconv_status call_advise(struct arguments *);

#endif
