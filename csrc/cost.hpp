// Rough cost of the steps of a contraction, to choose the cheaper order. Only
// ratios matter: the unit is one multiply-add of a well-fed convolution.
#pragma once

#include "backend.hpp"

namespace xconv {

/// The exact filter gradient of this geometry.
double filter_cost(const ConvGeometry &geometry);
/// The same where x is probes.
double probe_filter_cost(const ConvGeometry &geometry, const ProbeCosts &costs);
/// A tall matrix product of so many multiply-adds that writes `written` elements.
double product_cost(double multiply_adds, double written);
/// The same where one side is probes, of which `drawn` entries are drawn.
double probe_product_cost(double multiply_adds, double written, double drawn,
                          const ProbeCosts &costs);

/// An order of contraction, and what it costs.
struct Order {
    xconv_contraction contraction;
    double cost;
};

/// `requested`, or the cheaper order when it is XCONV_CONTRACTION_AUTO; dy first
/// only where it `fits` the workspace.
Order choose_order(xconv_contraction requested, bool fits, double dy_first, double x_first);

} // namespace xconv
