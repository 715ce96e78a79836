// A call of xconv_advise, with guards around all it writes.
#pragma once

#include <cstring>
#include <vector>

#include "catch.hpp"
#include "oracle.hpp"
#include "support.hpp"

namespace advising {

inline xconv_advise_options unhurried()
{
    xconv_advise_options options = XCONV_ADVISE_OPTIONS_INIT;
    options.seconds = 1e9;
    options.draws = 2;
    return options;
}

struct Result {
    std::vector<xconv_advice> schemes;
    double batch_noise = 0;
};

template <class T>
Result advise(const oracle::Conv &conv, const oracle::Tensor &x, const oracle::Tensor &dy,
              const xconv_advise_options &options, int threads = 1)
{
    const support::Context context(threads);
    const xconv_conv_desc desc = support::describe(conv, support::dtype_of<T>);
    int64_t capacity = 0;
    int64_t bytes = 0;
    REQUIRE_OK(
        xconv_advise_query(context.get(), &desc, &options, XCONV_ADVISE_CAPACITY, &capacity));
    REQUIRE_OK(xconv_advise_query(context.get(), &desc, &options, XCONV_ADVISE_WORKSPACE, &bytes));
    support::Guarded<unsigned char> workspace(bytes);
    support::Guarded<unsigned char> entries(capacity * static_cast<int64_t>(sizeof(xconv_advice)));
    const std::vector<T> x_typed = support::to<T>(x);
    const std::vector<T> dy_typed = support::to<T>(dy);
    size_t count = 0;
    Result result;
    REQUIRE_OK(xconv_advise(context.get(), &desc, x_typed.data(), dy_typed.data(), &options,
                            reinterpret_cast<xconv_advice *>(entries.data()), sizeof(xconv_advice),
                            static_cast<size_t>(capacity), &count, &result.batch_noise,
                            workspace.data(), workspace.bytes()));
    REQUIRE(workspace.guard_intact());
    REQUIRE(count <= static_cast<size_t>(capacity));
    const std::vector<unsigned char> raw = entries.take();
    result.schemes.resize(count);
    if (count != 0) {
        std::memcpy(result.schemes.data(), raw.data(), count * sizeof(xconv_advice));
    }
    return result;
}

} // namespace advising
