// Few-bit storage on the CPU.
#pragma once

#include "backend.hpp"

namespace xconv::cpu {

void pack(Dtype dtype, const Packing &packing, const Rounding &rounding, const void *numbers,
          void *packed, int threads);
void unpack(Dtype compute, const Packing &packing, const void *packed, int64_t first,
            int64_t offset, Runs places, Matrix out, int threads);

} // namespace xconv::cpu
