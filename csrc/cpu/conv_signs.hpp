// The filter gradient of Rademacher probes on matrix units; see signs.hpp.
#pragma once

#include <memory>

#include "backend.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// Null for what it does not take: strides, groups, Float64, processors without
/// the units.
std::unique_ptr<ProbeFilterPass> make_sign_filter(const ConvGeometry &g, int64_t workspace_limit,
                                                  int threads, DrawBits draw_bits);

} // namespace xconv::cpu
