// A packed buffer (packing.hpp) as kernels see it.
#pragma once

#include "cuda/kernels/vectors.hpp"
#include "packing.hpp"
#include "packing_entry.hpp"

namespace xconv::cuda {

template <class T> struct Packed {
    KeptRange<T> *ranges; // [rows][groups]
    uint8_t *codes;       // [rows][row_bytes]
    int64_t numbers;
    int64_t group;
    int64_t groups;
    int64_t row_bytes;
    int bits;

    static Packed make(const Packing &packing, void *packed)
    {
        constexpr Dtype dtype = sizeof(T) == 8 ? Dtype::f64 : Dtype::f32;
        return {static_cast<KeptRange<T> *>(packed),
                static_cast<uint8_t *>(packed) + packing.range_bytes(dtype),
                packing.numbers,
                packing.group,
                packing.groups(),
                packing.row_bytes(),
                packing.bits};
    }
};

} // namespace xconv::cuda
