// Exact passes over images too large for the workspace, band by band.
#pragma once

#include <functional>
#include <memory>

#include "backend.hpp"

namespace xconv {

/// Makes the pass of one geometry, aiming to stay within a workspace limit.
template <class PassType>
using PassFactory =
    std::function<std::unique_ptr<PassType>(const ConvGeometry &geometry, int64_t workspace_limit)>;

/// The factory's pass; or, where that needs more workspace than the limit even
/// for one sample, a pass that goes through bands of rows.
std::unique_ptr<ForwardPass> banded_forward(const ConvGeometry &geometry, int64_t workspace_limit,
                                            const PassFactory<ForwardPass> &make);
std::unique_ptr<DataPass> banded_data(const ConvGeometry &geometry, int64_t workspace_limit,
                                      const PassFactory<DataPass> &make);
std::unique_ptr<FilterPass> banded_filter(const ConvGeometry &geometry, int64_t workspace_limit,
                                          const PassFactory<FilterPass> &make);

} // namespace xconv
