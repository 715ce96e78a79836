// Which schemes are worth measuring on a layer: a grid over every choice that a
// scheme is composed of.
#pragma once

#include <vector>

#include "geometry.hpp"
#include "xconv/xconv.h"

namespace xconv {

struct Candidate {
    xconv_scheme_desc scheme;
    int lateness;
};

/// Measured by lateness, they begin with the exact scheme and few-bit storage by
/// itself, and go on in ever finer steps between the choices, so that wherever time
/// runs out, the whole range has been seen.
std::vector<Candidate> candidate_schemes(const ConvGeometry &geometry);

} // namespace xconv
