// Is the mean of a scheme's estimates the exact gradient? The check itself, in
// every order of contraction that the scheme has.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "oracle.hpp"
#include "statistics.hpp"
#include "support.hpp"

namespace unbiased {

inline constexpr int64_t full_draws = 1024;
/// Fewer under a sanitizer.
int64_t draw_count();
/// What a check with all draws can tell from no error at all, and what it can
/// tell with the fewer draws of a sanitizer build: the standard error grows.
double visible(double scale_error);

/// Estimates in all orders from the same sketches, times `factor`.
std::map<xconv_contraction, statistics::Verdict> judge(const oracle::Conv &conv,
                                                       const support::Scheme &scheme,
                                                       uint64_t first_seed, double factor = 1);

/// Accepts every scheme on every geometry of cases::statistical_convs(), and all of
/// them together, with enough draws to reject an error of `scale_error` in common.
void require(const std::vector<support::Scheme> &schemes, double scale_error);

} // namespace unbiased
