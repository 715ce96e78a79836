// Schemes as words.
#pragma once

#include <string>

#include "scheme.hpp"

namespace study {

/// What the demo reads ("exact", "dense:64", "independent:32+mean+2bits"), with
/// "+gaussian" or "+uniform" at the end for other probes than Rademacher's.
demo::Scheme parse_scheme(const std::string &text);

} // namespace study
