// Which schemes are worth measuring on a layer: a grid over every choice that a
// scheme is composed of.
#pragma once

#include <vector>

#include "geometry.hpp"
#include "xconv/xconv.h"

namespace xconv {

/// In the order to measure them: the exact scheme first, then few-bit storage by
/// itself, then ever finer steps between the choices, so that wherever time runs
/// out, the whole range has been seen.
std::vector<xconv_scheme_desc> candidate_schemes(const ConvGeometry &geometry);

} // namespace xconv
