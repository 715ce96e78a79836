// Part of xconv.hpp: which scheme a layer should take, xconv_advise in C++.
#ifndef XCONV_DETAIL_ADVISE_HPP
#define XCONV_DETAIL_ADVISE_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "context.hpp"
#include "descriptors.hpp"
#include "support.hpp"

namespace xconv {
inline namespace api {

struct AdviseOptions {
    int64_t budget_bytes = 0; ///< leave out schemes that keep more; 0 = any
    double max_noise = 0;     ///< and those with a larger relative_variance; 0 = any
    int32_t draws = 0;        ///< estimates made with every scheme; 0 = as it takes, 2 to 8
    double seconds = 10;      ///< schemes that would be done later are not started
    uint64_t seed = 0;
};

/// One scheme and what it does to a layer's filter gradient: xconv_advice.
struct Advice {
    Scheme scheme = Scheme::exact();
    int64_t kept_bytes = 0;
    double relative_variance = 0; ///< E|estimate - dw|^2 / |dw|^2
    double variance_error = 0;    ///< its standard error
    double milliseconds = 0;      ///< sketch and backward_filter
    bool on_front = false;
    bool recommended = false;
};

/// All that was measured, by bytes.
struct AdviceList {
    std::vector<Advice> schemes;
    double batch_noise = 0; ///< on the scale of relative_variance; NaN for a batch of 1
    int64_t x_bytes = 0;

    [[nodiscard]] auto begin() const noexcept { return schemes.begin(); }
    [[nodiscard]] auto end() const noexcept { return schemes.end(); }
    /// nullptr when every scheme was left out.
    [[nodiscard]] const Advice *recommended() const noexcept
    {
        for (const Advice &advice : schemes)
            if (advice.recommended)
                return &advice;
        return nullptr;
    }
    /// The front as lines of text; the recommended scheme is marked by a star.
    [[nodiscard]] std::string table() const
    {
        char line[160];
        std::snprintf(line, sizeof line, "%-36s %13s %8s %17s %9s %10s\n", "  scheme", "bytes kept",
                      "less by", "relative variance", "of batch", "ms");
        std::string text = line;
        for (const Advice &advice : schemes) {
            if (!advice.on_front)
                continue;
            std::snprintf(line, sizeof line,
                          "%c %-34s %13lld %7.1fx %9.2g +-%5.0f%% %8.2gx %10.3g\n",
                          advice.recommended ? '*' : ' ', advice.scheme.name().c_str(),
                          static_cast<long long>(advice.kept_bytes),
                          static_cast<double>(x_bytes) / static_cast<double>(advice.kept_bytes),
                          advice.relative_variance, percent_error(advice),
                          advice.relative_variance / batch_noise, advice.milliseconds);
            text += line;
        }
        std::snprintf(line, sizeof line, "  noise of the mini-batch itself: %.2g\n", batch_noise);
        return text + line;
    }

  private:
    static double percent_error(const Advice &advice)
    {
        return advice.variance_error == 0 ? 0
                                          : 100 * advice.variance_error / advice.relative_variance;
    }
};

namespace detail {

inline xconv_advise_options c_options(const AdviseOptions &options)
{
    xconv_advise_options desc = XCONV_ADVISE_OPTIONS_INIT;
    desc.draws = options.draws;
    desc.budget_bytes = options.budget_bytes;
    desc.max_noise = options.max_noise;
    desc.seconds = options.seconds;
    desc.seed = options.seed;
    return desc;
}

inline std::size_t advise_need(const Context &context, const Conv &conv,
                               const AdviseOptions &options, xconv_advise_need need)
{
    const xconv_conv_desc desc = conv.desc();
    const xconv_advise_options how = c_options(options);
    int64_t value = 0;
    check(xconv_advise_query(context.get(), &desc, &how, need, &value));
    return static_cast<std::size_t>(value);
}

} // namespace detail

/// Bytes of workspace that advise() takes; they lie in the context's device.
[[nodiscard]] inline std::size_t advise_workspace_bytes(const Context &context, const Conv &conv,
                                                        const AdviseOptions &options = {})
{
    return detail::advise_need(context, conv, options, XCONV_ADVISE_WORKSPACE);
}

/// Measure schemes on one batch of a layer's input and the gradient of its output.
template <class T>
[[nodiscard]] AdviceList advise(const Context &context, const Conv &conv, const T *x, const T *dy,
                                const AdviseOptions &options, Bytes workspace)
{
    detail::check_dtype(conv.dtype(), dtype_of<T>());
    const xconv_conv_desc desc = conv.desc();
    const xconv_advise_options how = detail::c_options(options);
    std::vector<xconv_advice> found(
        detail::advise_need(context, conv, options, XCONV_ADVISE_CAPACITY));
    std::size_t count = 0;
    AdviceList list;
    check(xconv_advise(context.get(), &desc, x, dy, &how, found.data(), sizeof(xconv_advice),
                       found.size(), &count, &list.batch_noise, workspace.data(),
                       workspace.size()));
    found.resize(count);
    for (const xconv_advice &a : found)
        list.schemes.push_back({Scheme(a.scheme), a.kept_bytes, a.relative_variance,
                                a.variance_error, a.milliseconds, a.on_front != 0,
                                a.recommended != 0});
    list.x_bytes = desc.batch * desc.in_channels * static_cast<int64_t>(sizeof(T));
    for (int32_t axis = 0; axis < desc.rank; ++axis)
        list.x_bytes *= desc.in_size[axis];
    return list;
}
/// The same in host memory that lasts for the call.
template <class T>
[[nodiscard]] AdviceList advise(const Context &context, const Conv &conv, const T *x, const T *dy,
                                const AdviseOptions &options = {})
{
    Buffer workspace(advise_workspace_bytes(context, conv, options));
    return advise(context, conv, x, dy, options, workspace);
}

} // namespace api
} // namespace xconv

#endif // XCONV_DETAIL_ADVISE_HPP
