// Few-bit storage on a stream; the operations are those of Backend.
#pragma once

#include "backend.hpp"
#include "cuda/stream.hpp"

namespace xconv::cuda {

void pack(Stream stream, Dtype dtype, const Packing &packing, const Rounding &rounding,
          const void *numbers, void *packed);
void unpack(Stream stream, Dtype compute, const Packing &packing, const void *packed, int64_t first,
            int64_t offset, Runs places, Matrix out);

} // namespace xconv::cuda
