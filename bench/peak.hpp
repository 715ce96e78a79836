// Peak memory of one row, measured where nothing else has left its mark: in a
// process of its own.
#pragma once

#include <cstdint>
#include <string>

#include "layer.hpp"

namespace bench {

/// Growth of this process's resident memory over what the layer's tensors hold,
/// at its highest, while `row` is prepared and run once; -1 where the system
/// does not tell. Libraries are warmed up on one sample before, so their code
/// and threads are not counted. Call it once, early, in a fresh process.
int64_t peak_growth(const Row &row, const Case &which, int threads);

/// The same from a new process of this program; -1 if that fails.
int64_t peak_growth_in_child(const Row &row, const Case &which, int threads);

} // namespace bench
