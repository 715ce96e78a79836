// The rows of the bench: for one case, everything that is timed on it. Names
// are relative to the case's geometry; equal names are the same row.
#pragma once

#include <vector>

#include "layer.hpp"

namespace bench {

std::vector<Row> onednn_rows(const Case &which);
std::vector<Row> im2col_rows(const Case &which);
std::vector<Row> xconv_rows(const Case &which);

} // namespace bench
