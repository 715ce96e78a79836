// The implementations of the exact passes, best first.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend.hpp"

namespace xconv::cpu {

std::unique_ptr<ForwardPass> make_forward(const ConvGeometry &g, int64_t workspace_limit,
                                          int threads);
std::unique_ptr<DataPass> make_backward_data(const ConvGeometry &g, int64_t workspace_limit,
                                             int threads);
std::unique_ptr<FilterPass> make_backward_filter(const ConvGeometry &g, int64_t workspace_limit,
                                                 int threads);
/// The libraries behind them: "oneDNN 2.6.3 (OpenMP), CBLAS".
std::string describe_libraries();

} // namespace xconv::cpu
