// The filter gradient of Rademacher probes on matrix units; see signs.hpp.
#pragma once

#include <memory>

#include "backend.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// Whether make_sign_filter() takes this geometry: not strides, groups, Float64, nor
/// processors without the units.
bool takes_signs(const ConvGeometry &g);

/// Null for what it does not take, or not within the limit.
std::unique_ptr<ProbeFilterPass> make_sign_filter(const ConvGeometry &g, int64_t workspace_limit,
                                                  int threads, const SimdVariant &simd);

} // namespace xconv::cpu
