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

template <class V, int... Lane>
inline auto add_halves(V value, std::integer_sequence<int, Lane...> /*lanes*/)
{
    constexpr int half = sizeof...(Lane);
    return __builtin_shufflevector(value, value, Lane...) +
           __builtin_shufflevector(value, value, (half + Lane)...);
}

template <class V, int... Lane>
inline V add_neighbours(V a, V b, std::integer_sequence<int, Lane...> /*lanes*/)
{
    return __builtin_shufflevector(a, b, 2 * Lane...) +
           __builtin_shufflevector(a, b, (2 * Lane + 1)...);
}

/// Lane j < J: the sum of the lanes of values[j], neighbours first. J is a power of two, at
/// most the number of lanes. Uses values up.
template <int J, class V> inline V sums_of_lanes(V *values)
{
    constexpr int lanes = sizeof(V) / sizeof(values[0][0]);
    constexpr std::make_integer_sequence<int, lanes> all;
    for (int count = J; count > 1; count /= 2) {
        for (int i = 0; i < count / 2; ++i) {
            values[i] = add_neighbours(values[2 * i], values[2 * i + 1], all);
        }
    }
    for (int parts = lanes / J; parts > 1; parts /= 2) {
        values[0] = add_neighbours(values[0], values[0], all);
    }
    return values[0];
}

/// sums[j] = the sum of the lanes of values[j], in an order that does not depend on J, a
/// power of two. Uses values up.
template <class T, int J, class V> inline void store_sums_of_lanes(V *values, T *sums)
{
    constexpr int lanes = sizeof(V) / sizeof(T);
    if constexpr (lanes > 8) {
        constexpr std::make_integer_sequence<int, lanes / 2> low;
        decltype(add_halves(values[0], low)) halves[size_t{J}];
        for (int j = 0; j < J; ++j) {
            halves[j] = add_halves(values[j], low);
        }
        store_sums_of_lanes<T, J>(halves, sums);
    }
    else if constexpr (J > lanes) {
        store_sums_of_lanes<T, J / 2>(values, sums);
        store_sums_of_lanes<T, J / 2>(values + J / 2, sums + J / 2);
    }
    else {
        const V totals = sums_of_lanes<J>(values);
        std::memcpy(sums, &totals, J * sizeof(T));
    }
}

} // namespace

} // namespace xconv::cpu::XCONV_SIMD
