#include "calls.h"

xconv_status call_context_create(struct arguments *a)
{
    return xconv_context_create(NULL, a->new_context);
}

xconv_status call_context_threads(struct arguments *a)
{
    return xconv_context_threads(a->context, a->threads);
}

xconv_status call_plan_create(struct arguments *a)
{
    return xconv_plan_create(a->context, a->conv, NULL, NULL, a->new_plan);
}

xconv_status call_plan_query(struct arguments *a)
{
    return xconv_plan_query(a->plan, a->query, a->value);
}

xconv_status call_plan_describe(struct arguments *a)
{
    return xconv_plan_describe(a->plan, a->text, a->text_bytes, NULL);
}

xconv_status call_forward(struct arguments *a)
{
    return xconv_forward(a->context, a->plan, a->x, a->w, a->bias, a->y, 1, a->sketch,
                         a->sketch_bytes, a->workspace, a->workspace_bytes);
}

xconv_status call_sketch(struct arguments *a)
{
    return xconv_sketch(a->context, a->plan, a->x, 1, a->sketch, a->sketch_bytes, a->workspace,
                        a->workspace_bytes);
}

xconv_status call_backward_filter(struct arguments *a)
{
    return xconv_backward_filter(a->context, a->plan, a->sketch, a->sketch_bytes, 1, a->dy, a->beta,
                                 a->dw, a->workspace, a->workspace_bytes);
}

xconv_status call_backward_filter_exact(struct arguments *a)
{
    return xconv_backward_filter_exact(a->context, a->plan, a->x, a->dy, a->beta, a->dw,
                                       a->workspace, a->workspace_bytes);
}

xconv_status call_backward_data(struct arguments *a)
{
    return xconv_backward_data(a->context, a->plan, a->w, a->dy, a->dx, a->workspace,
                               a->workspace_bytes);
}

xconv_status call_backward_bias(struct arguments *a)
{
    return xconv_backward_bias(a->context, a->plan, a->dy, a->beta, a->db);
}

xconv_status call_relu_mask_bytes(struct arguments *a)
{
    return xconv_relu_mask_bytes(a->count, a->value);
}

xconv_status call_relu_forward(struct arguments *a)
{
    return xconv_relu_forward(a->context, a->dtype, a->count, a->negative_slope, a->ceiling, a->x,
                              a->y, a->mask, a->mask_bytes);
}

xconv_status call_relu_backward(struct arguments *a)
{
    return xconv_relu_backward(a->context, a->dtype, a->count, a->negative_slope, a->mask,
                               a->mask_bytes, a->dy, a->dx);
}

xconv_status call_maxpool_query(struct arguments *a)
{
    return xconv_maxpool_query(a->pool, a->query, a->value);
}

xconv_status call_maxpool_forward(struct arguments *a)
{
    return xconv_maxpool_forward(a->context, a->pool, a->x, a->y, a->index, a->index_bytes);
}

xconv_status call_maxpool_backward(struct arguments *a)
{
    return xconv_maxpool_backward(a->context, a->pool, a->index, a->index_bytes, a->dy, a->dx);
}

xconv_status call_advise_query(struct arguments *a)
{
    return xconv_advise_query(a->context, a->conv, a->options, a->query, a->value);
}

xconv_status call_advise(struct arguments *a)
{
    return xconv_advise(a->context, a->conv, a->x, a->dy, a->options, a->advice, a->entry_bytes,
                        a->capacity, a->found, NULL, a->scratch, a->scratch_bytes);
}
