#include "cost.hpp"

#include "checked.hpp"

namespace xconv {

namespace {

// Fitted to bench/ on an AVX-512 machine; the ratios hold well elsewhere, since
// all steps run on the same units.
constexpr int64_t kChannelBlock = 8;     // channels are padded up to a multiple,
constexpr int64_t kFewChannels = 3;      // but for those of x if so few: they are read as they lie
constexpr double kElementCost = 24;      // reading and reordering one element
constexpr double kProductSlowdown = 1.2; // our products against the convolution's
constexpr double kWriteCost = 8;         // writing one element

double padded_filter_cost(const ConvGeometry &geometry, int64_t channel_block, double multiply_add)
{
    const int64_t in_channels = geometry.in_per_group();
    const bool few = in_channels <= kFewChannels && channel_block == kChannelBlock;
    const auto in = static_cast<double>(few ? in_channels : round_up(in_channels, channel_block));
    const auto out = static_cast<double>(round_up(geometry.out_per_group(), channel_block));
    const double places = static_cast<double>(geometry.batch) *
                          static_cast<double>(geometry.out_points()) *
                          static_cast<double>(geometry.kernel_points());
    return multiply_add * static_cast<double>(geometry.groups) * in * out * places;
}

} // namespace

double filter_cost(const ConvGeometry &geometry)
{
    const double elements =
        static_cast<double>(geometry.x_count()) + static_cast<double>(geometry.y_count());
    return padded_filter_cost(geometry, kChannelBlock, 1) + kElementCost * elements;
}

double probe_filter_cost(const ConvGeometry &geometry, const ProbeCosts &costs)
{
    const double elements = static_cast<double>(geometry.y_count());
    return padded_filter_cost(geometry, costs.channel_block, costs.filter) +
           kElementCost * elements;
}

double product_cost(double multiply_adds, double written)
{
    return kProductSlowdown * multiply_adds + kWriteCost * written;
}

double probe_product_cost(double multiply_adds, double written, double drawn,
                          const ProbeCosts &costs)
{
    return costs.product * multiply_adds + kWriteCost * written + costs.draw * drawn;
}

Order choose_order(xconv_contraction requested, bool fits, double dy_first, double x_first)
{
    const bool cheaper = requested == XCONV_CONTRACTION_AUTO && fits && dy_first <= x_first;
    return requested == XCONV_DY_FIRST || cheaper ? Order{XCONV_DY_FIRST, dy_first}
                                                  : Order{XCONV_X_FIRST, x_first};
}

} // namespace xconv
