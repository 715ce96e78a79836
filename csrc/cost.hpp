// Rough cost of the steps of a contraction, to choose the cheaper order. Only
// ratios matter: the unit is one multiply-add of a well-fed convolution.
#pragma once

#include "geometry.hpp"

namespace xconv {

/// The exact filter gradient of this geometry.
double filter_cost(const ConvGeometry &geometry);
/// A tall matrix product of so many multiply-adds that writes `written` elements.
double product_cost(double multiply_adds, double written);

/// `requested`, or the cheaper order when it is XCONV_CONTRACTION_AUTO; dy first
/// only where it `fits` the workspace.
xconv_contraction choose_contraction(xconv_contraction requested, bool fits, double dy_first,
                                     double x_first);

} // namespace xconv
