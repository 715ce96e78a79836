// What the convolutions of one run keep, as named on the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <xconv/xconv.hpp>

namespace demo {

struct Scheme {
    std::string name;
    /// Keep what a framework keeps: inputs and activations, whole. Otherwise
    /// keep the sketch, one bit for every ReLU, a few for every pool.
    bool plain = false;
    xconv::Scheme sketch = xconv::Scheme::exact();
};

/// "exact", or PROJECTION[:PROBES] where PROJECTION is identity, dense,
/// orthogonal or independent; `default_probes` where the text gives none.
/// Throws std::invalid_argument on anything else.
Scheme parse_scheme(const std::string &text, int64_t default_probes,
                    xconv::Distribution distribution);

/// rademacher, gaussian or uniform; throws std::invalid_argument.
xconv::Distribution parse_distribution(const std::string &text);

} // namespace demo
