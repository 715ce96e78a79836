// Neighbouring elements moved in one access, and turned into numbers.
#pragma once

#include <cstdint>
#include <cstring>

#include "cuda/team.hpp"
#include "dtype.hpp"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace xconv::cuda {

/// N numbers; 16 bytes at a time is the most that one access moves.
template <class T, int N> struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Vector {
    T at[N];
};

template <class T> XCONV_DEVICE inline ComputeType<T> number(T value)
{
    return static_cast<ComputeType<T>>(value);
}
#if defined(__CUDACC__)
template <> XCONV_DEVICE inline float number<Float16>(Float16 value)
{
    return __half2float(__ushort_as_half(value.bits)); // one instruction
}
#endif

/// Whether rows of a matrix can be accessed N elements at a time, from element
/// `first` on.
template <class T> bool in_vectors(const void *data, int64_t first, int64_t stride, int n)
{
    const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(data));
    const auto bytes = static_cast<int64_t>(sizeof(T)) * n;
    return (address + first * static_cast<int64_t>(sizeof(T))) % bytes == 0 && stride % n == 0;
}

/// Elements [place, place + N) of a row of `length`, as numbers; 0 outside of it.
template <int N, class X>
XCONV_DEVICE inline Vector<ComputeType<X>, N> load(const X *row, int64_t place, int64_t length,
                                                   bool vectors)
{
    Vector<ComputeType<X>, N> out;
    if (vectors && place >= 0 && place + N <= length) {
        constexpr std::size_t bytes = N * sizeof(X) < 16 ? N * sizeof(X) : 16;
        alignas(bytes) unsigned char raw[N * sizeof(X)];
        std::memcpy(raw, __builtin_assume_aligned(row + place, bytes), N * sizeof(X));
        XCONV_UNROLL
        for (int i = 0; i < N; ++i) {
            X element;
            std::memcpy(&element, raw + i * static_cast<int>(sizeof(X)), sizeof(X));
            out.at[i] = number(element);
        }
        return out;
    }
    XCONV_UNROLL
    for (int i = 0; i < N; ++i) {
        const bool inside = place + i >= 0 && place + i < length;
        out.at[i] = inside ? number(row[place + i]) : ComputeType<X>(0);
    }
    return out;
}

/// Writes those of places [place, place + N) that lie in a row of `length`.
template <int N, class T>
XCONV_DEVICE inline void store(const Vector<T, N> &values, T *row, int64_t place, int64_t length,
                               bool vectors)
{
    if (vectors && place >= 0 && place + N <= length) {
        constexpr std::size_t bytes = N * sizeof(T) < 16 ? N * sizeof(T) : 16;
        std::memcpy(__builtin_assume_aligned(static_cast<void *>(row + place), bytes), &values,
                    N * sizeof(T));
        return;
    }
    XCONV_UNROLL
    for (int i = 0; i < N; ++i) {
        if (place + i >= 0 && place + i < length) {
            row[place + i] = values.at[i];
        }
    }
}

} // namespace xconv::cuda
