// Few-bit storage on the CPU.
#pragma once

#include "backend.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// Backend::pack and unpack, with the thread count and the inner loops made explicit.
struct PackingOps {
    int threads;
    const SimdVariant *simd;

    void pack(Dtype dtype, const Packing &packing, const Rounding &rounding, const void *numbers,
              void *packed) const;
    void unpack(Dtype compute, const Packing &packing, const void *packed, int64_t first,
                int64_t offset, Runs places, Matrix out) const;
};

} // namespace xconv::cpu
