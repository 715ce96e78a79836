#include "cpu/conv_list.hpp"

#include <array>

#include "conv_banded.hpp"
#include "cpu/conv_im2col.hpp"
#include "cpu/conv_widened.hpp"
#include "cpu/parallel.hpp"
#if XCONV_WITH_ONEDNN
#include "cpu/conv_onednn.hpp"
#include "cpu/onednn_pieces.hpp"
#endif

namespace xconv::cpu {

namespace {

template <class P>
using Factory = std::unique_ptr<P> (*)(const ConvGeometry &g, int64_t workspace_limit, int threads);

std::unique_ptr<ForwardPass> widened_forward(const ConvGeometry &g, int64_t limit, int threads);
std::unique_ptr<DataPass> widened_data(const ConvGeometry &g, int64_t limit, int threads);
std::unique_ptr<FilterPass> widened_filter(const ConvGeometry &g, int64_t limit, int threads);

// A new implementation is one line in each list. The last one takes anything that
// need not be widened.
constexpr auto kForward = std::to_array<Factory<ForwardPass>>({
#if XCONV_WITH_ONEDNN
    make_onednn_forward,
#endif
        widened_forward, make_im2col_forward,
});
constexpr auto kBackwardData = std::to_array<Factory<DataPass>>({
#if XCONV_WITH_ONEDNN
    make_onednn_backward_data,
#endif
        widened_data, make_im2col_backward_data,
});
constexpr auto kBackwardFilter = std::to_array<Factory<FilterPass>>({
#if XCONV_WITH_ONEDNN
    make_onednn_backward_filter,
#endif
        widened_filter, make_im2col_backward_filter,
});

template <class List>
auto first_of(const List &list, const ConvGeometry &g, int64_t workspace_limit, int threads)
{
    const int worth = threads_worth(g.multiply_adds(), threads);
    for (const auto factory : list) {
        if (auto pass = factory(g, workspace_limit, worth)) {
            return pass;
        }
    }
    fail(XCONV_INTERNAL, "no implementation takes {}", g.describe());
}

/// first_of() with all but the list and the threads left open.
template <class PassType, class List> PassFactory<PassType> first_in(const List &list, int threads)
{
    return [&list, threads](const ConvGeometry &g, int64_t limit) {
        return first_of(list, g, limit, threads);
    };
}

std::unique_ptr<ForwardPass> widened_forward(const ConvGeometry &g, int64_t limit, int threads)
{
    return make_widened_forward(g, limit, threads, first_in<ForwardPass>(kForward, threads));
}

std::unique_ptr<DataPass> widened_data(const ConvGeometry &g, int64_t limit, int threads)
{
    return make_widened_backward_data(g, limit, threads,
                                      first_in<DataPass>(kBackwardData, threads));
}

std::unique_ptr<FilterPass> widened_filter(const ConvGeometry &g, int64_t limit, int threads)
{
    return make_widened_backward_filter(g, limit, threads,
                                        first_in<FilterPass>(kBackwardFilter, threads));
}

} // namespace

std::unique_ptr<ForwardPass> make_forward(const ConvGeometry &g, int64_t workspace_limit,
                                          int threads)
{
    return banded_forward(g, workspace_limit, first_in<ForwardPass>(kForward, threads));
}

std::unique_ptr<DataPass> make_backward_data(const ConvGeometry &g, int64_t workspace_limit,
                                             int threads)
{
    return banded_data(g, workspace_limit, first_in<DataPass>(kBackwardData, threads));
}

std::unique_ptr<FilterPass> make_backward_filter(const ConvGeometry &g, int64_t workspace_limit,
                                                 int threads)
{
    return banded_filter(g, workspace_limit, first_in<FilterPass>(kBackwardFilter, threads));
}

std::string describe_libraries()
{
#if XCONV_WITH_ONEDNN
    return onednn::describe_library() + ", CBLAS";
#else
    return "CBLAS";
#endif
}

} // namespace xconv::cpu
