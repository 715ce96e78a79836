// xconv.hpp: C++17 over xconv.h. Header only; needs the standard library alone.
//
//     xconv::Context cpu;
//     xconv::Plan plan(cpu, xconv::Conv().batch(64).channels(16, 32).in_size({28, 28})
//                               .kernel(3).padding(1), xconv::Scheme::quantize(2));
//     auto kept = plan.new_sketch();
//     auto work = plan.new_workspace();
//     uint64_t seed = step * layers + layer;                 // new in every step and layer
//     plan.forward(x, w, bias, y, seed, kept, work);         // x may go now
//     plan.backward_filter(kept, seed, dy, dw, work);        // E[dw] = exact
//     plan.backward_data(w, dy, dx, work);                   // exact
//
// What every function computes, the axis order of every array and the rules for
// workspace are written in xconv.h; here stands only what C++ adds:
//  - handles free themselves, and a failing call throws xconv::error;
//  - arrays are pointers to float, double or a 16-bit type (xconv::Element),
//    checked against the dtype of the plan; they stay the caller's and need to
//    live for the call only;
//  - kept data and workspace are anything contiguous with data() and size():
//    xconv::Buffer, std::vector<std::byte>, ... or xconv::Bytes(pointer, bytes).
// Only the mean over seeds is exact: with a seed that never changes the estimate's
// error stays the same in every step and does not average out.
#ifndef XCONV_XCONV_HPP
#define XCONV_XCONV_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detail/advise.hpp"
#include "detail/context.hpp"
#include "detail/descriptors.hpp"
#include "detail/support.hpp"
#include "xconv.h"

namespace xconv {
inline namespace api {

// -------------------------------------------------------------------- version

/// Version of the loaded library, such as "0.1.0".
[[nodiscard]] inline std::string version()
{
    const int32_t v = xconv_version();
    return std::to_string(v / 10000) + '.' + std::to_string(v / 100 % 100) + '.' +
           std::to_string(v % 100);
}
[[nodiscard]] inline std::string git_hash() { return xconv_git_hash(); }
[[nodiscard]] inline std::string backends() { return xconv_backends(); }

namespace detail {

/// T, but not deduced from this argument: lets nullptr stand for a pointer to T.
template <class T> struct given {
    using type = T;
};
template <class T> using given_t = typename given<T>::type;

} // namespace detail

// ----------------------------------------------------------------------- plan

/// One convolution with one scheme on one context. Movable, immutable: threads
/// may share it, each with its own workspace and outputs. Calls on a plan that
/// was moved from throw.
class Plan {
  public:
    Plan(Context context, const Conv &conv, const Scheme &scheme = Scheme::exact(),
         const Options &options = {})
        : context_(std::move(context)), dtype_(conv.dtype()), dw_dtype_(conv.dw_dtype()),
          rank_(conv.rank())
    {
        const xconv_conv_desc desc = conv.desc();
        const xconv_scheme_desc kept = scheme.desc();
        xconv_plan_options how = XCONV_PLAN_OPTIONS_INIT;
        how.contraction = static_cast<xconv_contraction>(options.contraction);
        how.workspace_limit = options.workspace_limit;
        xconv_plan *made = nullptr;
        check(xconv_plan_create(context_.get(), &desc, &kept, &how, &made));
        handle_.reset(made);
    }

    // --- what it is
    [[nodiscard]] DType dtype() const noexcept { return dtype_; }
    /// Of dw and db.
    [[nodiscard]] DType dw_dtype() const noexcept { return dw_dtype_; }
    [[nodiscard]] const Context &context() const noexcept { return context_; }
    /// For calls of xconv.h; the handle stays this object's.
    [[nodiscard]] const xconv_plan *get() const noexcept { return handle_.get(); }
    [[nodiscard]] int64_t query(xconv_query what) const
    {
        int64_t value = 0;
        check(xconv_plan_query(get(), what, &value));
        return value;
    }
    /// Elements, not bytes, of each array.
    [[nodiscard]] std::size_t x_count() const { return count(XCONV_QUERY_X_BYTES); }
    [[nodiscard]] std::size_t w_count() const { return count(XCONV_QUERY_W_BYTES); }
    [[nodiscard]] std::size_t y_count() const { return count(XCONV_QUERY_Y_BYTES); }
    [[nodiscard]] std::size_t bias_count() const { return count(XCONV_QUERY_BIAS_BYTES); }
    [[nodiscard]] std::size_t dw_bytes() const { return bytes(XCONV_QUERY_DW_BYTES); }
    [[nodiscard]] std::size_t db_bytes() const { return bytes(XCONV_QUERY_DB_BYTES); }
    [[nodiscard]] std::size_t sketch_bytes() const { return bytes(XCONV_QUERY_SKETCH_BYTES); }
    /// Enough for every pass; query() knows the need of a single one.
    [[nodiscard]] std::size_t workspace_bytes() const { return bytes(XCONV_QUERY_WORKSPACE_MAX); }
    [[nodiscard]] Contraction contraction() const
    {
        return static_cast<Contraction>(query(XCONV_QUERY_CONTRACTION));
    }
    /// Spatial sizes of the output, slowest axis first.
    [[nodiscard]] std::vector<int64_t> out_size() const
    {
        std::vector<int64_t> sizes;
        sizes.reserve(static_cast<std::size_t>(rank_));
        for (xconv_query axis = 0; axis < rank_; ++axis)
            sizes.push_back(query(XCONV_QUERY_OUT_SIZE_0 + axis));
        return sizes;
    }
    /// Geometry, scheme, order and kernels, for people.
    [[nodiscard]] std::string describe() const
    {
        std::size_t length = 0;
        check(xconv_plan_describe(get(), nullptr, 0, &length));
        std::string text(length + 1, '\0');
        check(xconv_plan_describe(get(), text.data(), text.size(), nullptr));
        text.resize(length);
        return text;
    }

    // --- buffers, in host memory
    [[nodiscard]] Buffer new_sketch() const { return Buffer(sketch_bytes()); }
    [[nodiscard]] Buffer new_workspace() const { return Buffer(workspace_bytes()); }

    // --- passes. x [B][Ci][in], w [Co][Ci/groups][kernel], y and dy [B][Co][out],
    // bias and db [Co]; dx and dw as x and w. T is dtype(), W is dw_dtype().

    /// y = w * x + bias, and the sketch of x, drawn from a seed that is new in every
    /// step and for every layer. bias may be nullptr.
    template <class T>
    void forward(const T *x, const T *w, const detail::given_t<T> *bias, T *y, uint64_t seed,
                 Bytes sketch, Bytes workspace) const
    {
        accept<T>();
        check(xconv_forward(context_.get(), get(), x, w, bias, y, seed, sketch.data(),
                            sketch.size(), workspace.data(), workspace.size()));
    }
    /// y = w * x + bias, keeping nothing: inference.
    template <class T>
    void forward(const T *x, const T *w, const detail::given_t<T> *bias, T *y,
                 Bytes workspace) const
    {
        forward(x, w, bias, y, 0, nullptr, workspace);
    }
    /// The sketch of x alone, for when something else computes y. As forward, a new seed
    /// in every step and for every layer.
    template <class T> void sketch(const T *x, uint64_t seed, Bytes sketch, Bytes workspace) const
    {
        accept<T>();
        check(xconv_sketch(context_.get(), get(), x, seed, sketch.data(), sketch.size(),
                           workspace.data(), workspace.size()));
    }
    /// dw = unbiased estimate + beta * dw, with the seed the sketch was made with.
    template <class T, class W>
    void backward_filter(ConstBytes sketch, uint64_t seed, const T *dy, W *dw, Bytes workspace,
                         double beta = 0) const
    {
        accept<T>();
        accept_dw<W>();
        check(xconv_backward_filter(context_.get(), get(), sketch.data(), sketch.size(), seed, dy,
                                    beta, dw, workspace.data(), workspace.size()));
    }
    /// dw = exact filter gradient + beta * dw, from x itself.
    template <class T, class W>
    void backward_filter_exact(const T *x, const T *dy, W *dw, Bytes workspace,
                               double beta = 0) const
    {
        accept<T>();
        accept_dw<W>();
        check(xconv_backward_filter_exact(context_.get(), get(), x, dy, beta, dw, workspace.data(),
                                          workspace.size()));
    }
    /// dx = exact gradient with respect to the input.
    template <class T> void backward_data(const T *w, const T *dy, T *dx, Bytes workspace) const
    {
        accept<T>();
        check(xconv_backward_data(context_.get(), get(), w, dy, dx, workspace.data(),
                                  workspace.size()));
    }
    /// db = exact gradient with respect to the bias + beta * db.
    template <class T, class W> void backward_bias(const T *dy, W *db, double beta = 0) const
    {
        accept<T>();
        accept_dw<W>();
        check(xconv_backward_bias(context_.get(), get(), dy, beta, db));
    }

  private:
    template <class T> void accept() const { detail::check_dtype(dtype_, dtype_of<T>()); }
    template <class W> void accept_dw() const { detail::check_dtype(dw_dtype_, dtype_of<W>()); }
    [[nodiscard]] std::size_t bytes(xconv_query what) const
    {
        return static_cast<std::size_t>(query(what));
    }
    [[nodiscard]] std::size_t count(xconv_query what) const
    {
        return bytes(what) / element_size(dtype_);
    }
    struct Destroy {
        void operator()(xconv_plan *plan) const noexcept { xconv_plan_destroy(plan); }
    };
    Context context_;
    DType dtype_;
    DType dw_dtype_;
    int32_t rank_;
    std::unique_ptr<xconv_plan, Destroy> handle_;
};

// ----------------------------------------------------------------- companions

/// ReLU on `count` elements, keeping one bit of each; leaky with a negative
/// slope, ReLU6 with a ceiling of 6; not both.
class Relu {
  public:
    Relu(Context context, int64_t count, double negative_slope = 0,
         double ceiling = std::numeric_limits<double>::infinity())
        : context_(std::move(context)), count_(count), slope_(negative_slope), ceiling_(ceiling)
    {
        int64_t bytes = 0;
        check(xconv_relu_mask_bytes(count, &bytes));
        mask_bytes_ = static_cast<std::size_t>(bytes);
    }
    [[nodiscard]] std::size_t mask_bytes() const noexcept { return mask_bytes_; }
    [[nodiscard]] Buffer new_mask() const { return Buffer(mask_bytes()); }

    /// y may be x. mask may be nullptr: inference.
    template <class T> void forward(const T *x, T *y, Bytes mask) const
    {
        check(xconv_relu_forward(context_.get(), static_cast<xconv_dtype>(dtype_of<T>()), count_,
                                 slope_, ceiling_, x, y, mask.data(), mask.size()));
    }
    /// dx may be dy.
    template <class T> void backward(ConstBytes mask, const T *dy, T *dx) const
    {
        check(xconv_relu_backward(context_.get(), static_cast<xconv_dtype>(dtype_of<T>()), count_,
                                  slope_, mask.data(), mask.size(), dy, dx));
    }

  private:
    Context context_;
    int64_t count_;
    double slope_;
    double ceiling_;
    std::size_t mask_bytes_ = 0;
};

/// Max pooling, keeping the winner's place in each window in a few bits.
class MaxPool {
  public:
    MaxPool(Context context, const Pool &pool)
        : context_(std::move(context)), desc_(pool.desc()), dtype_(pool.dtype())
    {
        index_bytes_ = static_cast<std::size_t>(query(XCONV_POOL_INDEX_BYTES));
    }
    [[nodiscard]] DType dtype() const noexcept { return dtype_; }
    [[nodiscard]] int64_t query(xconv_pool_query what) const
    {
        int64_t value = 0;
        check(xconv_maxpool_query(&desc_, what, &value));
        return value;
    }
    /// Spatial sizes of the output, slowest axis first.
    [[nodiscard]] std::vector<int64_t> out_size() const
    {
        std::vector<int64_t> sizes;
        sizes.reserve(static_cast<std::size_t>(desc_.rank));
        for (xconv_pool_query axis = 0; axis < desc_.rank; ++axis)
            sizes.push_back(query(XCONV_POOL_OUT_SIZE_0 + axis));
        return sizes;
    }
    [[nodiscard]] std::size_t index_bytes() const noexcept { return index_bytes_; }
    [[nodiscard]] Buffer new_index() const { return Buffer(index_bytes()); }

    /// x [batch][channels][in], y [batch][channels][out]. index may be nullptr:
    /// inference.
    template <class T> void forward(const T *x, T *y, Bytes index) const
    {
        detail::check_dtype(dtype_, dtype_of<T>());
        check(xconv_maxpool_forward(context_.get(), &desc_, x, y, index.data(), index.size()));
    }
    /// dy as y; dx, as x, is written whole.
    template <class T> void backward(ConstBytes index, const T *dy, T *dx) const
    {
        detail::check_dtype(dtype_, dtype_of<T>());
        check(xconv_maxpool_backward(context_.get(), &desc_, index.data(), index.size(), dy, dx));
    }

  private:
    Context context_;
    xconv_pool_desc desc_;
    DType dtype_;
    std::size_t index_bytes_ = 0;
};

} // namespace api
} // namespace xconv

#endif // XCONV_XCONV_HPP
