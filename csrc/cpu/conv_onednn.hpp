// Exact passes by oneDNN, summed in Float32. Each factory returns null for what
// oneDNN has no good kernel for.
#pragma once

#include <cstdint>
#include <memory>

#include "backend.hpp"

namespace xconv::cpu {

std::unique_ptr<ForwardPass> make_onednn_forward(const ConvGeometry &g, int64_t workspace_limit,
                                                 int threads);
std::unique_ptr<DataPass> make_onednn_backward_data(const ConvGeometry &g, int64_t workspace_limit,
                                                    int threads);
std::unique_ptr<FilterPass> make_onednn_backward_filter(const ConvGeometry &g,
                                                        int64_t workspace_limit, int threads);

} // namespace xconv::cpu
