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

/// What one access moves. Only the device's own vector types make it a single one.
template <std::size_t Bytes> struct Word;
#if defined(__CUDACC__)
template <> struct Word<4> {
    using type = uint32_t;
};
template <> struct Word<8> {
    using type = uint2;
};
template <> struct Word<16> {
    using type = uint4;
};
#else
template <std::size_t Bytes> struct Word {
    struct alignas(Bytes) type {
        unsigned char byte[Bytes];
    };
};
#endif

/// The GPU refuses accesses that are not aligned to their size; so does the CPU here.
template <std::size_t Bytes>
XCONV_DEVICE inline void require_aligned([[maybe_unused]] const void *at)
{
#if !defined(__CUDACC__)
    if (reinterpret_cast<uintptr_t>(at) % Bytes != 0) {
        fail(XCONV_INTERNAL, "an access of {} bytes at {}", Bytes, at);
    }
#endif
}

/// N neighbouring elements as words.
template <class T, int N> struct Words {
    static constexpr std::size_t kBytes = N * sizeof(T) < 16 ? N * sizeof(T) : 16;
    static constexpr int kCount = static_cast<int>(N * sizeof(T) / kBytes);
    using Type = typename Word<kBytes>::type;
    Type word[kCount];

    XCONV_DEVICE void read(const T *from)
    {
        require_aligned<kBytes>(from);
        XCONV_UNROLL
        for (int i = 0; i < kCount; ++i) {
#if defined(__CUDACC__)
            word[i] = reinterpret_cast<const Type *>(from)[i];
#else
            std::memcpy(&word[i], from + i * (N / kCount), kBytes);
#endif
        }
    }
    XCONV_DEVICE void write(T *to) const
    {
        require_aligned<kBytes>(to);
        XCONV_UNROLL
        for (int i = 0; i < kCount; ++i) {
#if defined(__CUDACC__)
            __stwb(reinterpret_cast<Type *>(to) + i, word[i]); // a plain store gets split
#else
            std::memcpy(to + i * (N / kCount), &word[i], kBytes);
#endif
        }
    }
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
        Words<X, N> words;
        words.read(row + place);
        X elements[N];
        std::memcpy(static_cast<void *>(elements), &words, sizeof elements);
        XCONV_UNROLL
        for (int i = 0; i < N; ++i) {
            out.at[i] = number(elements[i]);
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
        Words<T, N> words;
        std::memcpy(&words, &values, sizeof words);
        words.write(row + place);
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
