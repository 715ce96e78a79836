// Exact passes for every geometry and element type: unfold the input into a
// matrix, a bounded piece at a time, and multiply with a CBLAS.
#pragma once

#include <cstdint>
#include <memory>

#include "backend.hpp"

namespace xconv::cpu {

std::unique_ptr<ForwardPass> make_im2col_forward(const ConvGeometry &g, int64_t workspace_limit,
                                                 int threads);
std::unique_ptr<DataPass> make_im2col_backward_data(const ConvGeometry &g, int64_t workspace_limit,
                                                    int threads);
std::unique_ptr<FilterPass> make_im2col_backward_filter(const ConvGeometry &g,
                                                        int64_t workspace_limit, int threads);

} // namespace xconv::cpu
