#include "support.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace support {

Tensor Random::values(int64_t count)
{
    Tensor out(static_cast<size_t>(count));
    std::generate(out.begin(), out.end(), [this] { return value(); });
    return out;
}

Tensor Random::small_integers(int64_t count)
{
    Tensor out(static_cast<size_t>(count));
    std::generate(out.begin(), out.end(), [this] { return static_cast<double>(integer(-3, 3)); });
    return out;
}

std::string Scheme::describe() const
{
    static const char *const projections[] = {"identity", "dense", "orthogonal", "independent"};
    static const char *const distributions[] = {"rademacher", "gaussian", "uniform"};
    std::ostringstream text;
    text << projections[projection];
    if (projection != XCONV_IDENTITY) {
        text << " " << distributions[distribution] << " r = " << probes;
    }
    text << (deflate_mean ? ", mean" : "");
    if (bits != 0) {
        text << ", bits = " << bits << ", group = " << group;
    }
    return text.str();
}

Context::Context(int threads, bool allow_tf32)
{
    xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
    desc.device = test_device();
    desc.threads = desc.device == XCONV_CPU ? threads : 0;
    desc.allow_tf32 = allow_tf32 ? 1 : 0;
    desc.stream = test_stream();
    xconv_context *context = nullptr;
    REQUIRE_OK(xconv_context_create(&desc, &context));
    context_.reset(context);
}

namespace {

/// The last `rank` axes, first.
void cut(const oracle::Axes &axes, int rank, int64_t (&out)[3])
{
    std::copy(axes.end() - rank, axes.end(), out);
}

} // namespace

xconv_conv_desc describe(const oracle::Conv &conv, xconv_dtype dtype)
{
    xconv_conv_desc desc = XCONV_CONV_DESC_INIT;
    desc.rank = conv.rank;
    desc.dtype = dtype;
    desc.flip = conv.flip ? 1 : 0;
    desc.batch = conv.batch;
    desc.in_channels = conv.in_channels;
    desc.out_channels = conv.out_channels;
    desc.groups = conv.groups;
    cut(conv.in, conv.rank, desc.in_size);
    cut(conv.kernel, conv.rank, desc.kernel);
    cut(conv.stride, conv.rank, desc.stride);
    cut(conv.dilation, conv.rank, desc.dilation);
    cut(conv.pad_begin, conv.rank, desc.pad_begin);
    cut(conv.pad_end, conv.rank, desc.pad_end);
    return desc;
}

xconv_pool_desc describe(const oracle::Pool &pool, xconv_dtype dtype)
{
    xconv_pool_desc desc = XCONV_POOL_DESC_INIT;
    desc.rank = pool.rank;
    desc.dtype = dtype;
    desc.batch = pool.batch;
    desc.channels = pool.channels;
    cut(pool.in, pool.rank, desc.in_size);
    cut(pool.kernel, pool.rank, desc.kernel);
    cut(pool.stride, pool.rank, desc.stride);
    cut(pool.pad_begin, pool.rank, desc.pad_begin);
    cut(pool.pad_end, pool.rank, desc.pad_end);
    return desc;
}

xconv_scheme_desc describe(const Scheme &scheme)
{
    xconv_scheme_desc desc = XCONV_SCHEME_DESC_INIT;
    desc.projection = scheme.projection;
    desc.distribution = scheme.distribution;
    desc.probes = scheme.probes;
    desc.deflate_mean = scheme.deflate_mean ? 1 : 0;
    desc.bits = scheme.bits;
    desc.group = scheme.group;
    return desc;
}

Plan::Plan(const Context &context, const oracle::Conv &conv, xconv_dtype dtype,
           const Scheme &scheme, const Options &options, bool float32_dw)
{
    xconv_conv_desc conv_desc = describe(conv, dtype);
    conv_desc.float32_dw = float32_dw ? 1 : 0;
    const xconv_scheme_desc scheme_desc = describe(scheme);
    xconv_plan_options option_desc = XCONV_PLAN_OPTIONS_INIT;
    option_desc.contraction = options.contraction;
    option_desc.workspace_limit = options.workspace_limit;
    xconv_plan *plan = nullptr;
    REQUIRE_OK(xconv_plan_create(context.get(), &conv_desc, &scheme_desc, &option_desc, &plan));
    plan_.reset(plan);
}

int64_t Plan::query(xconv_query what) const
{
    int64_t value = -1;
    REQUIRE_OK(xconv_plan_query(plan_.get(), what, &value));
    return value;
}

namespace {

void require_intact(Guarded<unsigned char> &workspace)
{
    if (!workspace.guard_intact()) {
        FAIL("a call wrote behind the end of its workspace");
    }
}

} // namespace

template <class T, class Dw>
Layer<T, Dw>::Layer(int threads, const oracle::Conv &conv, const Scheme &scheme,
                    const Options &options)
    : conv_(conv), context_(threads),
      plan_(context_, conv, dtype_of<T>, scheme, options, !std::is_same_v<T, Dw>)
{
}

template <class T, class Dw> Guarded<unsigned char> &Layer<T, Dw>::workspace(xconv_query pass)
{
    for (auto &[query, buffer] : workspaces_) {
        if (query == pass) {
            return *buffer;
        }
    }
    workspaces_.emplace_back(pass, std::make_unique<Guarded<unsigned char>>(plan_.query(pass)));
    return *workspaces_.back().second;
}

template <class T, class Dw>
std::vector<T> Layer<T, Dw>::forward(const std::vector<T> &x, const std::vector<T> &w,
                                     const std::vector<T> *bias)
{
    auto &scratch = workspace(XCONV_QUERY_WORKSPACE_FORWARD);
    Guarded<T> y(conv_.y_count());
    REQUIRE_OK(xconv_forward(context_.get(), plan_.get(), OnDevice(x).data(), OnDevice(w).data(),
                             OnDevice(bias).data(), y.data(), 0, nullptr, 0, scratch.data(),
                             scratch.bytes()));
    require_intact(scratch);
    return y.take();
}

template <class T, class Dw>
std::vector<T> Layer<T, Dw>::forward_and_sketch(const std::vector<T> &x, const std::vector<T> &w,
                                                const std::vector<T> *bias, uint64_t seed,
                                                Bytes &sketch)
{
    auto &scratch = workspace(XCONV_QUERY_WORKSPACE_FORWARD);
    Guarded<T> y(conv_.y_count());
    Guarded<unsigned char> kept(sketch_bytes());
    REQUIRE_OK(xconv_forward(context_.get(), plan_.get(), OnDevice(x).data(), OnDevice(w).data(),
                             OnDevice(bias).data(), y.data(), seed, kept.data(), kept.bytes(),
                             scratch.data(), scratch.bytes()));
    require_intact(scratch);
    sketch = kept.take();
    return y.take();
}

template <class T, class Dw> Bytes Layer<T, Dw>::sketch(const std::vector<T> &x, uint64_t seed)
{
    auto &scratch = workspace(XCONV_QUERY_WORKSPACE_SKETCH);
    Guarded<unsigned char> kept(sketch_bytes());
    REQUIRE_OK(xconv_sketch(context_.get(), plan_.get(), OnDevice(x).data(), seed, kept.data(),
                            kept.bytes(), scratch.data(), scratch.bytes()));
    require_intact(scratch);
    return kept.take();
}

template <class T, class Dw>
void Layer<T, Dw>::backward_filter(const Bytes &sketch, uint64_t seed, const std::vector<T> &dy,
                                   double beta, std::vector<Dw> &dw)
{
    auto &scratch = workspace(XCONV_QUERY_WORKSPACE_BACKWARD_FILTER);
    Guarded<Dw> out(conv_.w_count(), dw);
    REQUIRE_OK(xconv_backward_filter(context_.get(), plan_.get(), OnDevice(sketch).data(),
                                     sketch.size(), seed, OnDevice(dy).data(), beta, out.data(),
                                     scratch.data(), scratch.bytes()));
    require_intact(scratch);
    dw = out.take();
}

template <class T, class Dw>
std::vector<Dw> Layer<T, Dw>::backward_filter(const Bytes &sketch, uint64_t seed,
                                              const std::vector<T> &dy)
{
    std::vector<Dw> dw;
    backward_filter(sketch, seed, dy, 0, dw);
    return dw;
}

template <class T, class Dw>
void Layer<T, Dw>::backward_filter_exact(const std::vector<T> &x, const std::vector<T> &dy,
                                         double beta, std::vector<Dw> &dw)
{
    auto &scratch = workspace(XCONV_QUERY_WORKSPACE_BACKWARD_FILTER_EXACT);
    Guarded<Dw> out(conv_.w_count(), dw);
    REQUIRE_OK(xconv_backward_filter_exact(context_.get(), plan_.get(), OnDevice(x).data(),
                                           OnDevice(dy).data(), beta, out.data(), scratch.data(),
                                           scratch.bytes()));
    require_intact(scratch);
    dw = out.take();
}

template <class T, class Dw>
std::vector<Dw> Layer<T, Dw>::backward_filter_exact(const std::vector<T> &x,
                                                    const std::vector<T> &dy)
{
    std::vector<Dw> dw;
    backward_filter_exact(x, dy, 0, dw);
    return dw;
}

template <class T, class Dw>
std::vector<T> Layer<T, Dw>::backward_data(const std::vector<T> &w, const std::vector<T> &dy)
{
    auto &scratch = workspace(XCONV_QUERY_WORKSPACE_BACKWARD_DATA);
    Guarded<T> dx(conv_.x_count());
    REQUIRE_OK(xconv_backward_data(context_.get(), plan_.get(), OnDevice(w).data(),
                                   OnDevice(dy).data(), dx.data(), scratch.data(),
                                   scratch.bytes()));
    require_intact(scratch);
    return dx.take();
}

template <class T, class Dw>
void Layer<T, Dw>::backward_bias(const std::vector<T> &dy, double beta, std::vector<Dw> &db)
{
    Guarded<Dw> out(conv_.out_channels, db);
    REQUIRE_OK(
        xconv_backward_bias(context_.get(), plan_.get(), OnDevice(dy).data(), beta, out.data()));
    db = out.take();
}

template <class T, class Dw> std::vector<Dw> Layer<T, Dw>::backward_bias(const std::vector<T> &dy)
{
    std::vector<Dw> db;
    backward_bias(dy, 0, db);
    return db;
}

template <class T, class Dw>
std::vector<Dw> Layer<T, Dw>::estimate(const std::vector<T> &x, const std::vector<T> &dy,
                                       uint64_t seed)
{
    return backward_filter(sketch(x, seed), seed, dy);
}

template class Layer<float>;
template class Layer<double>;
template class Layer<F16>;
template class Layer<BF16>;
template class Layer<F16, float>;
template class Layer<BF16, float>;

Tensor absolute(Tensor values)
{
    for (double &value : values) {
        value = std::abs(value);
    }
    return values;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SUPPORT_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SUPPORT_SANITIZED 1
#endif

int64_t draws(int64_t wanted)
{
#ifdef SUPPORT_SANITIZED
    constexpr bool slow = true;
#else
    const bool slow = test_device() != XCONV_CPU; // moves tensors, or emulates kernels
#endif
    const int64_t slowdown = slow ? 8 : 1;
    return std::max<int64_t>(wanted / slowdown, 1);
}

} // namespace support
