/* xconv.h: low-memory, unbiased gradients of convolutional filters.
 *
 * A convolutional layer's filter gradient is linear in its input x, so an
 * unbiased compressed copy of x gives an unbiased gradient. XConv keeps that
 * copy, the *sketch*, instead of x; the input's and the bias's gradients never
 * need x and stay exact. Method: randomized trace estimation,
 * arXiv:2106.06998; derivation in csrc/README.md.
 *
 * This C99 header is the whole contract: every binding includes it and nothing
 * else. C++ users may prefer xconv.hpp beside it.
 *
 * Conventions, valid for every function:
 *  - Tensors are dense, contiguous, and owned by the caller. Axis order is
 *    C's NCHW, slowest first, W fastest: x [batch][in_channels][D][H][W],
 *    w [out_channels][in_channels/groups][kD][kH][kW], y and dy
 *    [batch][out_channels][oD][oH][oW]. Rank 2 drops D, rank 1 drops D and H.
 *    (The same bytes are Julia's WHCN.) Arrays of spatial sizes list the axes
 *    in that order too: {D, H, W}, {H, W} or {W}.
 *  - Pointers live in the memory of the context's device and are aligned to
 *    their element type. Outputs and workspace must not overlap anything else
 *    unless said so.
 *  - Every function that can fail returns an xconv_status and never throws,
 *    prints or aborts. After a failure xconv_last_error() says which argument
 *    was wrong and what value it had, and no output has been touched; only
 *    XCONV_OUT_OF_MEMORY, XCONV_DEVICE_ERROR and XCONV_INTERNAL may strike
 *    after work began.
 *  - Workspace is scratch memory passed in by the caller: at least as many
 *    bytes as xconv_plan_query() asks for that pass, contents irrelevant
 *    before and after. One workspace serves one call at a time.
 */
#ifndef XCONV_XCONV_H
#define XCONV_XCONV_H

#include <stddef.h>
#include <stdint.h>

/* The project's one version number; the build reads it from here. */
#define XCONV_VERSION_MAJOR 0
#define XCONV_VERSION_MINOR 1
#define XCONV_VERSION_PATCH 0

#if defined(_WIN32) && !defined(XCONV_STATIC)
#ifdef XCONV_BUILDING
#define XCONV_API __declspec(dllexport)
#else
#define XCONV_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define XCONV_API __attribute__((visibility("default")))
#else
#define XCONV_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ status */

typedef int32_t xconv_status;
enum {
    XCONV_SUCCESS = 0,
    XCONV_INVALID_ARGUMENT = 1, /* null pointer, unknown enum, impossible value */
    XCONV_OVERFLOW = 2,         /* a size does not fit in 64 bits */
    XCONV_BUFFER_TOO_SMALL = 3, /* sketch, mask, index or workspace too short */
    XCONV_UNSUPPORTED = 4,      /* well formed, but this build cannot do it */
    XCONV_MISMATCH = 5,         /* plan and context do not belong together */
    XCONV_OUT_OF_MEMORY = 6,
    XCONV_DEVICE_ERROR = 7, /* no such device, or the device reported an error */
    XCONV_INTERNAL = 8      /* a bug: please report it with xconv_last_error() */
};

/* Name of a status, such as "XCONV_OVERFLOW"; never null, static. */
XCONV_API const char *xconv_status_name(xconv_status status);

/* Detail of the calling thread's most recent failure: the function, the
 * argument and its value. Valid until the thread's next failing call; "" when
 * none failed yet. Successful calls leave it as it is. */
XCONV_API const char *xconv_last_error(void);

/* ----------------------------------------------------------------- version */

/* major * 10000 + minor * 100 + patch of the loaded library. */
XCONV_API int32_t xconv_version(void);
/* Commit the library was built from, "unknown" outside a git checkout; static. */
XCONV_API const char *xconv_git_hash(void);
/* Backends in this build with the libraries they use, one per line, for example
 * "cpu: oneDNN 2.6.3, CBLAS, avx512"; static. */
XCONV_API const char *xconv_backends(void);

/* ------------------------------------------------------------------- enums */

typedef int32_t xconv_dtype;
enum {
    XCONV_F32 = 0,
    XCONV_F64 = 1,
    XCONV_F16 = 2, /* IEEE binary16 and bfloat16: for storage. Products and sums are */
    XCONV_BF16 = 3 /* Float32, and so are the numbers of a sketch; results are rounded
                      once, to nearest even, and overflow to infinity */
};

typedef int32_t xconv_device;
enum {
    XCONV_CPU = 0,
    XCONV_CUDA = 1 /* where xconv_backends() lists it, else XCONV_UNSUPPORTED */
};

/* Which numbers the sketch keeps of one sample of x, a Ci x N matrix
 * (Ci = in_channels, N = product of in_size). z is the random probing matrix. */
typedef int32_t xconv_projection;
enum {
    XCONV_IDENTITY = 0,   /* all Ci*N of them: the exact gradient */
    XCONV_DENSE = 1,      /* r: z has Ci*N rows, every channel meets every probe */
    XCONV_ORTHOGONAL = 2, /* r, rounded down to a multiple of Ci when r > Ci: the
                             probes are dealt out to the channels */
    XCONV_INDEPENDENT = 3 /* Ci*r: z has N rows, each channel is probed by itself */
};

/* Distribution of z's entries: independent, mean 0, variance 1. */
typedef int32_t xconv_distribution;
enum {
    XCONV_RADEMACHER = 0, /* -1 or +1: the smallest variance, one bit per entry */
    XCONV_GAUSSIAN = 1,
    XCONV_UNIFORM = 2 /* on [-sqrt(3), sqrt(3)] */
};

/* Order in which backward_filter contracts sketch, z and dy. It changes time
 * and workspace, not the estimate (but for rounding). XCONV_IDENTITY, which has
 * no z, is contracted x first. */
typedef int32_t xconv_contraction;
enum {
    XCONV_CONTRACTION_AUTO = 0, /* the cheaper, by a cost model */
    XCONV_DY_FIRST = 1,         /* sketch dy, then the filter gradient on probes */
    XCONV_X_FIRST = 2           /* reconstruct x in chunks, then its gradient */
};

/* ----------------------------------------------------------------- context */

/* Where and with what resources work runs. Any number of threads may share a
 * context. On CUDA, calls queue their work on the context's stream and return:
 * they neither wait for the device nor allocate on it, so that they can be
 * captured in a graph; buffers must live until the stream is done with them.
 * Threads that share a CUDA context take turns. */
typedef struct xconv_context xconv_context;

/* Start from XCONV_CONTEXT_DESC_INIT and change what you need. All descriptors
 * open with struct_size, so that they can grow: a caller compiled against an
 * older header stays valid, and fields the library does not know must be 0. */
typedef struct xconv_context_desc {
    size_t struct_size;   /* sizeof(xconv_context_desc) */
    xconv_device device;  /* XCONV_CPU or XCONV_CUDA */
    int32_t device_index; /* which of several devices; 0 on the CPU */
    int32_t threads;      /* CPU threads per call; 0 = OpenMP's default now; 0 on CUDA */
    int32_t allow_tf32;   /* 1: CUDA may round Float32 factors to TF32; no effect elsewhere */
    void *stream;         /* a cudaStream_t, NULL for the default one; NULL on the CPU */
} xconv_context_desc;
#define XCONV_CONTEXT_DESC_INIT                                                                    \
    {                                                                                              \
        sizeof(xconv_context_desc), XCONV_CPU, 0, 0, 0, NULL                                       \
    }

/* Create a context. desc may be NULL for the default. On success *context is
 * the caller's, to be given to xconv_context_destroy(). */
XCONV_API xconv_status xconv_context_create(const xconv_context_desc *desc,
                                            xconv_context **context);
/* Destroy a context; NULL is allowed. Plans made from it stay valid. */
XCONV_API void xconv_context_destroy(xconv_context *context);
/* Number of CPU threads a call on this context uses; 1 on CUDA. */
XCONV_API xconv_status xconv_context_threads(const xconv_context *context, int32_t *threads);

/* -------------------------------------------------------------------- plan */

/* Geometry of one convolution. With effective kernel e = dilation*(kernel-1)+1,
 * the output has (in_size + pad_begin + pad_end - e) / stride + 1 places per
 * axis, rounded down, which must be at least 1. */
typedef struct xconv_conv_desc {
    size_t struct_size;   /* sizeof(xconv_conv_desc) */
    int32_t rank;         /* spatial axes: 1, 2 or 3 */
    xconv_dtype dtype;    /* element type of x, w, y and their gradients */
    int32_t flip;         /* 0: cross-correlation, as in deep learning;
                             1: convolution, the kernel is mirrored (NNlib) */
    int32_t float32_dw;   /* 1: dw and db are Float32 though dtype is 16 bits wide;
                             0: they are of dtype */
    int64_t batch;        /* B >= 1 */
    int64_t in_channels;  /* Ci >= 1, a multiple of groups */
    int64_t out_channels; /* Co >= 1, a multiple of groups */
    int64_t groups;       /* >= 1; Ci for a depthwise convolution */
    /* The first `rank` entries of each, slowest axis first. */
    int64_t in_size[3];   /* >= 1 */
    int64_t kernel[3];    /* >= 1 */
    int64_t stride[3];    /* >= 1 */
    int64_t dilation[3];  /* >= 1 */
    int64_t pad_begin[3]; /* >= 0 */
    int64_t pad_end[3];   /* >= 0 */
} xconv_conv_desc;
#define XCONV_CONV_DESC_INIT                                                                       \
    {                                                                                              \
        sizeof(xconv_conv_desc), 0, XCONV_F32, 0, 0, 0, 0, 0, 1, {0, 0, 0}, {0, 0, 0}, {1, 1, 1},  \
            {1, 1, 1}, {0, 0, 0},                                                                  \
        {                                                                                          \
            0, 0, 0                                                                                \
        }                                                                                          \
    }

/* What is kept of x: kept = quantize(project(x - mean)), and the mean itself.
 * Every choice is unbiased, and so is every combination: each draws numbers of
 * its own. XCONV_SCHEME_DESC_INIT is `identity`: exact.
 *   deflate_mean  the mean of every channel of every sample is kept apart and
 *                 contracted exactly; only the rest is probed, by probes that sum
 *                 to 0 over each channel. Pays after a ReLU. Not for
 *                 XCONV_IDENTITY, which has no probes.
 *   bits          kept numbers are stored in so many bits each, rounded up or
 *                 down at random so that their mean stays (stochastic rounding).
 *                 Means are then stored in 8 bits. With bits the draw depends on
 *                 a sample's place in its batch.
 *                 A number that is not finite makes its whole group NaN, and dw
 *                 with it; so does one beyond 3.389e38 (1.7976e308 for
 *                 XCONV_F64), the largest that a level of its group can be.
 *   group         neighbouring numbers of a sample that share the smallest and the
 *                 largest level; a multiple of 8, or 0 for about 256. Each group
 *                 costs the bytes of one Float32 (Float64 for XCONV_F64), half for
 *                 either level: they are its smallest and its largest number,
 *                 rounded outward to 8 (21) significant bits. A group of one value
 *                 that has no more bits is kept exactly; of any other, to within
 *                 1/128 (1/2^20) of it. */
typedef struct xconv_scheme_desc {
    size_t struct_size;              /* sizeof(xconv_scheme_desc) */
    xconv_projection projection;     /* which numbers are kept */
    xconv_distribution distribution; /* of z; 0 for XCONV_IDENTITY */
    int64_t probes;                  /* r >= 1; 0 for XCONV_IDENTITY */
    int32_t deflate_mean;            /* 0 or 1 */
    int32_t bits;                    /* 1, 2, 4 or 8; 0 = as they are */
    int64_t group;                   /* 0 while bits is 0 */
} xconv_scheme_desc;
#define XCONV_SCHEME_DESC_INIT                                                                     \
    {                                                                                              \
        sizeof(xconv_scheme_desc), XCONV_IDENTITY, XCONV_RADEMACHER, 0, 0, 0, 0                    \
    }

/* How a plan goes about it; never what it computes. */
typedef struct xconv_plan_options {
    size_t struct_size;            /* sizeof(xconv_plan_options) */
    xconv_contraction contraction; /* force an order, or XCONV_CONTRACTION_AUTO */
    int32_t reserved;              /* 0 */
    int64_t workspace_limit;       /* bytes a pass aims to stay below, by working
                                      in smaller chunks; 0 = the default,
                                      max(32 MiB, a quarter of x, three times w) */
} xconv_plan_options;
#define XCONV_PLAN_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(xconv_plan_options), XCONV_CONTRACTION_AUTO, 0, 0                                   \
    }

/* One convolution with one scheme, validated and prepared once. Immutable: any
 * number of threads may run calls on the same plan at once, each with its own
 * workspace and outputs. */
typedef struct xconv_plan xconv_plan;

/* Create a plan. scheme may be NULL for the exact one, options for the
 * defaults. The plan runs on `context` and on every context created with the
 * same device, number of threads and allow_tf32. On success *plan is the caller's, to be
 * given to xconv_plan_destroy(). */
XCONV_API xconv_status xconv_plan_create(const xconv_context *context, const xconv_conv_desc *conv,
                                         const xconv_scheme_desc *scheme,
                                         const xconv_plan_options *options, xconv_plan **plan);
/* Destroy a plan; NULL is allowed. */
XCONV_API void xconv_plan_destroy(xconv_plan *plan);

typedef int32_t xconv_query;
enum {
    XCONV_QUERY_X_BYTES = 0,
    XCONV_QUERY_W_BYTES = 1,
    XCONV_QUERY_Y_BYTES = 2,
    XCONV_QUERY_BIAS_BYTES = 3,
    XCONV_QUERY_SKETCH_BYTES = 4, /* what has to be kept until the backward pass */
    XCONV_QUERY_OUT_SIZE_0 = 5,   /* spatial output sizes, slowest axis first; */
    XCONV_QUERY_OUT_SIZE_1 = 6,   /* 1 past the plan's rank */
    XCONV_QUERY_OUT_SIZE_2 = 7,
    XCONV_QUERY_WORKSPACE_FORWARD = 8, /* xconv_forward, with or without sketch */
    XCONV_QUERY_WORKSPACE_SKETCH = 9,
    XCONV_QUERY_WORKSPACE_BACKWARD_FILTER = 10,
    XCONV_QUERY_WORKSPACE_BACKWARD_FILTER_EXACT = 11,
    XCONV_QUERY_WORKSPACE_BACKWARD_DATA = 12,
    XCONV_QUERY_WORKSPACE_MAX = 13, /* enough for every pass of the plan */
    XCONV_QUERY_CONTRACTION = 14,   /* XCONV_DY_FIRST or XCONV_X_FIRST, as chosen */
    XCONV_QUERY_DW_BYTES = 15,      /* dw and db: as w and bias, but for float32_dw */
    XCONV_QUERY_DB_BYTES = 16
};

/* Write one property of a plan, in bytes or places as listed, to *value. */
XCONV_API xconv_status xconv_plan_query(const xconv_plan *plan, xconv_query query, int64_t *value);

/* Describe a plan for people: geometry, scheme, order, chunks, and the library
 * kernel of every pass. Writes at most `size` bytes with the final 0 to
 * `buffer` (which may be NULL when size is 0), and the length of the whole
 * text without that 0 to *length unless it is NULL. */
XCONV_API xconv_status xconv_plan_describe(const xconv_plan *plan, char *buffer, size_t size,
                                           size_t *length);

/* ------------------------------------------------------------- convolution */

/* y = w * x + bias, and the sketch of x.
 *   bias   [Co], or NULL for none
 *   seed   draws z and rounds; the same seed gives the same sketch on every
 *          device and for every thread count, and, while the scheme's bits is 0,
 *          for every way to split the batch. Take a new one in every step, and
 *          another for every layer: the mean over seeds is exact, so the errors of
 *          new seeds average out, and that of a constant one never does
 *   sketch written when not NULL, sketch_bytes long; with NULL (and 0) nothing
 *          is kept: inference
 * Matrix units of a processor may round numbers of x and dy below 1e-33, take those
 * below 1.2e-38 for 0, and those within 0.3 % of the largest Float32 for infinite. */
XCONV_API xconv_status xconv_forward(const xconv_context *context, const xconv_plan *plan,
                                     const void *x, const void *w, const void *bias, void *y,
                                     uint64_t seed, void *sketch, size_t sketch_bytes,
                                     void *workspace, size_t workspace_bytes);

/* The sketch of x alone, for when something else computes y. As xconv_forward, with
 * a new seed in every step and for every layer. */
XCONV_API xconv_status xconv_sketch(const xconv_context *context, const xconv_plan *plan,
                                    const void *x, uint64_t seed, void *sketch, size_t sketch_bytes,
                                    void *workspace, size_t workspace_bytes);

/* dw = estimate + beta * dw, with E[estimate] = the exact filter gradient.
 * `seed` is the one the sketch was made with, by a plan whose scheme, dtype, batch,
 * in_channels and in_size are the same: the bytes cannot tell. With beta = 0, dw is
 * only written. */
XCONV_API xconv_status xconv_backward_filter(const xconv_context *context, const xconv_plan *plan,
                                             const void *sketch, size_t sketch_bytes, uint64_t seed,
                                             const void *dy, double beta, void *dw, void *workspace,
                                             size_t workspace_bytes);

/* dw = exact filter gradient + beta * dw, from x itself, whatever the scheme. */
XCONV_API xconv_status xconv_backward_filter_exact(const xconv_context *context,
                                                   const xconv_plan *plan, const void *x,
                                                   const void *dy, double beta, void *dw,
                                                   void *workspace, size_t workspace_bytes);

/* dx = exact gradient with respect to the input. */
XCONV_API xconv_status xconv_backward_data(const xconv_context *context, const xconv_plan *plan,
                                           const void *w, const void *dy, void *dx, void *workspace,
                                           size_t workspace_bytes);

/* db = sum of dy over batch and space, + beta * db. db is [Co], of dw's type. */
XCONV_API xconv_status xconv_backward_bias(const xconv_context *context, const xconv_plan *plan,
                                           const void *dy, double beta, void *db);

/* ------------------------------------------------------------ which scheme? */

/* xconv_advise() measures schemes on one batch of a layer's own tensors. Every
 * field may be 0. */
typedef struct xconv_advise_options {
    size_t struct_size;   /* sizeof(xconv_advise_options) */
    int32_t draws;        /* estimates made with every scheme, at least 2; 0 = 2 to 8, until
                             variance_error is 2 % of relative_variance */
    int32_t reserved;     /* 0 */
    int64_t budget_bytes; /* schemes that keep more are left out; 0 = none is */
    double max_noise;     /* so are those whose relative_variance is larger; 0 = none */
    double seconds;       /* schemes that would be done later are not started; 0 = 10 */
    uint64_t seed;        /* of the draws */
} xconv_advise_options;
#define XCONV_ADVISE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        sizeof(xconv_advise_options), 0, 0, 0, 0, 0, 0                                             \
    }

/* One scheme and what it does to the layer's filter gradient. */
typedef struct xconv_advice {
    int64_t kept_bytes;       /* of x until the backward pass */
    double relative_variance; /* E|estimate - dw|^2 / |dw|^2 of one draw, measured without
                                 bias, whatever the number of draws; 0 when both are 0 */
    double variance_error;    /* its standard error */
    double milliseconds;      /* xconv_sketch and xconv_backward_filter, median; the exact
                                 scheme, which keeps x itself, has nothing to sketch */
    int32_t on_front;         /* 1: no other keeps as little with as little noise (of
                                 equals, one) */
    int32_t recommended;      /* 1 for one of the front, see xconv_advise() */
    xconv_scheme_desc scheme; /* for xconv_plan_create() */
} xconv_advice;

typedef int32_t xconv_advise_need;
enum {
    XCONV_ADVISE_CAPACITY = 0, /* most schemes that can be returned */
    XCONV_ADVISE_WORKSPACE = 1 /* bytes */
};

/* Write what xconv_advise() needs for a layer to *value. options may be NULL for
 * the defaults; with a budget_bytes less may be needed. */
XCONV_API xconv_status xconv_advise_query(const xconv_context *context, const xconv_conv_desc *conv,
                                          const xconv_advise_options *options,
                                          xconv_advise_need need, int64_t *value);

/* Measure schemes on x and dy, a batch of a layer's input and the gradient of its
 * output; best taken from a training that is under way. Gives the schemes that were
 * measured and not left out, sorted by kept_bytes: every composition of
 * xconv_scheme_desc with bits, mean and powers of 2 of reduction, as far as time
 * goes, in an order that covers the range early on and leaves what takes many times
 * as long as the exact gradient to the end.
 *   advice      [capacity] entries of `entry_bytes` = sizeof(xconv_advice) each;
 *               capacity is at least XCONV_ADVISE_CAPACITY
 *   count       entries written; 0 when all were left out
 *   batch_noise on the scale of relative_variance: how much dw varies because the
 *               batch is a sample of all data, B s^2 / |dw|^2 with s^2 the variance
 *               of the gradient of one sample, estimated without bias from up to 32
 *               parts of the batch. NaN for a batch of 1. NULL if not wanted
 * A scheme's variance adds to that of the batch: where relative_variance is well
 * below batch_noise, training hardly notices, and where it is far above, it pays to
 * keep more. Recommended is the scheme on the front with the fewest bytes within
 * max_noise; without max_noise, the one with the least noise within budget_bytes;
 * without either, the one with the fewest bytes whose relative_variance is at most
 * batch_noise (the least noisy of all where there is none).
 * Waits until the device is done. Results but for times depend on seed, draws and
 * tensors alone. A gradient that is not finite is XCONV_INVALID_ARGUMENT. */
XCONV_API xconv_status xconv_advise(const xconv_context *context, const xconv_conv_desc *conv,
                                    const void *x, const void *dy,
                                    const xconv_advise_options *options, xconv_advice *advice,
                                    size_t entry_bytes, size_t capacity, size_t *count,
                                    double *batch_noise, void *workspace, size_t workspace_bytes);

/* ------------------------------------------- companions: ReLU in one bit */

/* A convolution that lets go of its input saves nothing while the activation
 * or the pool beside it holds the same array. These keep the minimum. */

/* Bytes of the mask of `count` elements: one bit each, rounded up. */
XCONV_API xconv_status xconv_relu_mask_bytes(int64_t count, int64_t *bytes);

/* y = x for x > 0, negative_slope * x otherwise, cut off at `ceiling`. ReLU is
 * (0, INFINITY), leaky ReLU (slope, INFINITY), ReLU6 (0, 6); a slope together
 * with a finite ceiling is refused, since one bit cannot tell three branches
 * apart. y may be x. NaN passes through, and so does its gradient. mask may be
 * NULL (with mask_bytes 0) for inference. */
XCONV_API xconv_status xconv_relu_forward(const xconv_context *context, xconv_dtype dtype,
                                          int64_t count, double negative_slope, double ceiling,
                                          const void *x, void *y, void *mask, size_t mask_bytes);

/* dx = dy where the mask's bit is set, negative_slope * dy elsewhere. dx may be
 * dy. */
XCONV_API xconv_status xconv_relu_backward(const xconv_context *context, xconv_dtype dtype,
                                           int64_t count, double negative_slope, const void *mask,
                                           size_t mask_bytes, const void *dy, void *dx);

/* --------------------------------- companions: max pooling in a few bits */

/* Max pooling over a window of `kernel` places. Padding never wins; every
 * window must hold at least one real element. */
typedef struct xconv_pool_desc {
    size_t struct_size; /* sizeof(xconv_pool_desc) */
    int32_t rank;       /* 1, 2 or 3 */
    xconv_dtype dtype;
    int64_t batch;
    int64_t channels;
    int64_t in_size[3]; /* the first `rank` entries, slowest axis first */
    int64_t kernel[3];
    int64_t stride[3];
    int64_t pad_begin[3];
    int64_t pad_end[3];
} xconv_pool_desc;
#define XCONV_POOL_DESC_INIT                                                                       \
    {                                                                                              \
        sizeof(xconv_pool_desc), 0, XCONV_F32, 0, 0, {0, 0, 0}, {0, 0, 0}, {1, 1, 1}, {0, 0, 0},   \
        {                                                                                          \
            0, 0, 0                                                                                \
        }                                                                                          \
    }

typedef int32_t xconv_pool_query;
enum {
    XCONV_POOL_OUT_SIZE_0 = 0, /* spatial output sizes, slowest axis first; */
    XCONV_POOL_OUT_SIZE_1 = 1, /* 1 past the rank */
    XCONV_POOL_OUT_SIZE_2 = 2,
    XCONV_POOL_INDEX_BITS = 3, /* per output: ceil(log2(places of the window)) */
    XCONV_POOL_INDEX_BYTES = 4 /* of the whole index: what has to be kept */
};

/* Write one property of a pooling layer to *value. */
XCONV_API xconv_status xconv_maxpool_query(const xconv_pool_desc *desc, xconv_pool_query query,
                                           int64_t *value);

/* y = maximum over each window of x; index = the winner's place in its window,
 * packed at XCONV_POOL_INDEX_BITS per output. The first of equals wins, NaN
 * wins over numbers. index may be NULL (with index_bytes 0) for inference. */
XCONV_API xconv_status xconv_maxpool_forward(const xconv_context *context,
                                             const xconv_pool_desc *desc, const void *x, void *y,
                                             void *index, size_t index_bytes);

/* dx = dy routed to the winners, added up where windows overlap, 0 elsewhere. */
XCONV_API xconv_status xconv_maxpool_backward(const xconv_context *context,
                                              const xconv_pool_desc *desc, const void *index,
                                              size_t index_bytes, const void *dy, void *dx);

#ifdef __cplusplus
}
#endif

#endif /* XCONV_XCONV_H */
