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
    /// keep the sketch, and a few bits for every pool and ReLU.
    bool plain = false;
    xconv::Scheme sketch = xconv::Scheme::exact();
};

/// "exact", or a composition such as "independent:16+mean+2bits": a projection
/// (identity, or dense, orthogonal, independent with a number of probes,
/// `default_probes` where the text gives none), then any of +mean, +1bit, +2bits,
/// +4bits, +8bits and +group:NUMBERS. Throws std::invalid_argument on anything else.
Scheme parse_scheme(const std::string &text, int64_t default_probes,
                    xconv::Distribution distribution);

/// rademacher, gaussian or uniform; throws std::invalid_argument.
xconv::Distribution parse_distribution(const std::string &text);

} // namespace demo
