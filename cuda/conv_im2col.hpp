// Exact passes as matrix products of the unfolded input: they take anything.
#pragma once

#include <cstdint>
#include <memory>

#include "backend.hpp"

namespace xconv::cuda {

// They run on a DeviceBackend.
std::unique_ptr<ForwardPass> make_im2col_forward(const ConvGeometry &g, int64_t workspace_limit);
std::unique_ptr<DataPass> make_im2col_backward_data(const ConvGeometry &g, int64_t workspace_limit);
std::unique_ptr<FilterPass> make_im2col_backward_filter(const ConvGeometry &g,
                                                        int64_t workspace_limit);

} // namespace xconv::cuda
