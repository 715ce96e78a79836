// Exact passes on 16-bit tensors by way of Float32: some samples at a time are
// widened into the workspace, a Float32 pass takes them, and results are rounded
// once, at the end.
#pragma once

#include <cstdint>
#include <memory>

#include "backend.hpp"
#include "conv_banded.hpp"

namespace xconv::cpu {

// Each takes the factory of the Float32 pass; null for tensors that need no widening.
std::unique_ptr<ForwardPass> make_widened_forward(const ConvGeometry &g, int64_t workspace_limit,
                                                  int threads,
                                                  const PassFactory<ForwardPass> &make);
std::unique_ptr<DataPass> make_widened_backward_data(const ConvGeometry &g, int64_t workspace_limit,
                                                     int threads,
                                                     const PassFactory<DataPass> &make);
std::unique_ptr<FilterPass> make_widened_backward_filter(const ConvGeometry &g,
                                                         int64_t workspace_limit, int threads,
                                                         const PassFactory<FilterPass> &make);

} // namespace xconv::cpu
