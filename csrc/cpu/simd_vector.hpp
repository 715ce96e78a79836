// Vectors as wide as the target's registers. Part of simd_kernels.cpp: included
// once for each instruction set, everything inside its unnamed namespace.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

namespace xconv::cpu::XCONV_SIMD {

namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T> struct Vector;
template <> struct Vector<float> {
    typedef float type __attribute__((vector_size(kVectorBytes)));
};
template <> struct Vector<double> {
    typedef double type __attribute__((vector_size(kVectorBytes)));
};
template <class T> using Vec = typename Vector<T>::type;
template <class T> constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T> inline Vec<T> load(const T *from)
{
    Vec<T> value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class T> inline void store(T *to, Vec<T> value) { std::memcpy(to, &value, sizeof value); }

/// The first `count` lanes from memory, zeros behind.
template <class T> inline Vec<T> load_partial(const T *from, int64_t count)
{
    Vec<T> value{};
    std::memcpy(&value, from, static_cast<size_t>(count) * sizeof(T));
    return value;
}

/// Halves are added to each other until one lane is left.
template <class V, int... Lane>
inline auto add_halves(V value, std::integer_sequence<int, Lane...> /*lanes*/)
{
    constexpr int half = sizeof...(Lane);
    return __builtin_shufflevector(value, value, Lane...) +
           __builtin_shufflevector(value, value, (half + Lane)...);
}

template <class T, int Count = kLanes<T>, class V> inline T sum_of_lanes(V value)
{
    if constexpr (Count == 2) {
        return value[0] + value[1];
    }
    else {
        return sum_of_lanes<T, Count / 2>(
            add_halves(value, std::make_integer_sequence<int, Count / 2>{}));
    }
}

} // namespace

} // namespace xconv::cpu::XCONV_SIMD
