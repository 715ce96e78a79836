// A benchmark case: one convolution, one sketching scheme, and the groups of
// rows to time for it. Cases are text, one line each; see README.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "xconv/xconv.h"

namespace bench {

/// Which rows a case asks for, as bits.
enum RowGroups : unsigned {
    kExact = 1u,   // exact filter gradients of oneDNN: what ratios are taken over
    kStep = 2u,    // sketch and backward_filter together
    kParts = 4u,   // the two apart
    kForward = 8u, // forward passes with and without a sketch
    kInfo = 16u,   // im2col + BLAS, and oneDNN on tensors it has already blocked
    kAllRows = 31u
};

struct Case {
    std::string text; // what it was parsed from, lists expanded
    xconv_conv_desc conv = XCONV_CONV_DESC_INIT;
    xconv_scheme_desc scheme = XCONV_SCHEME_DESC_INIT;
    xconv_contraction order = XCONV_CONTRACTION_AUTO;
    unsigned rows = kExact | kStep;

    /// "b64_c32_n64x64_k3_p1": what the exact gradient depends on.
    [[nodiscard]] std::string geometry_name() const;
    /// "dense_rademacher_r8": what is kept, and a forced order if any.
    [[nodiscard]] std::string scheme_name() const;
};

/// All cases a line stands for; none for a comment, a blank or a `require`
/// line. Throws std::invalid_argument naming the token it cannot read.
std::vector<Case> parse_line(const std::string &line);

/// The cases of a file; errors name file and line.
std::vector<Case> read_cases(const std::filesystem::path &file);

} // namespace bench
