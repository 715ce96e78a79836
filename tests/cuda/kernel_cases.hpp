// What the tests of kernels share. Buffers are exactly as long as an operation may
// touch, so that AddressSanitizer sees the first element beyond.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "../catch.hpp"
#include "backend.hpp"
#include "probe_entry.hpp"

namespace kernel_cases {

using xconv::ComputeType;
using xconv::Distribution;
using xconv::Dtype;
using xconv::Probes;
using xconv::RunConstants;
using xconv::Runs;

inline constexpr Distribution distributions[] = {Distribution::rademacher, Distribution::gaussian,
                                                 Distribution::uniform};

template <class T> constexpr Dtype dtype_of();
template <> constexpr Dtype dtype_of<float>() { return Dtype::f32; }
template <> constexpr Dtype dtype_of<double>() { return Dtype::f64; }
template <> constexpr Dtype dtype_of<xconv::Float16>() { return Dtype::f16; }
template <> constexpr Dtype dtype_of<xconv::BFloat16>() { return Dtype::bf16; }

class Random {
  public:
    explicit Random(uint64_t seed) : engine_(seed) {}

    int64_t between(int64_t low, int64_t high)
    {
        return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
    }
    template <class T> T one_of(std::initializer_list<T> list)
    {
        return *(list.begin() + between(0, static_cast<int64_t>(list.size()) - 1));
    }
    /// Small integers, which every type and every sum of a test holds exactly.
    template <class T> std::vector<T> integers(int64_t count)
    {
        return values<T>(count, [&] { return static_cast<float>(between(-3, 3)); });
    }
    template <class T> std::vector<T> normals(int64_t count)
    {
        std::normal_distribution<float> normal;
        return values<T>(count, [&] { return normal(engine_); });
    }
    uint64_t seed() { return engine_(); }

  private:
    template <class T, class F> std::vector<T> values(int64_t count, F &&next)
    {
        std::vector<T> out;
        out.reserve(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; ++i) {
            out.push_back(static_cast<T>(next()));
        }
        return out;
    }
    std::mt19937_64 engine_;
};

/// Elements a row-major matrix spans.
inline int64_t span(int64_t rows, int64_t cols, int64_t stride)
{
    return (rows - 1) * stride + cols;
}

/// A matrix to be written, full of 9s where nothing may be written.
template <class T> struct Output {
    int64_t rows;
    int64_t cols;
    int64_t stride;
    std::vector<T> data;

    Output(int64_t r, int64_t c, int64_t s)
        : rows(r), cols(c), stride(s), data(static_cast<size_t>(span(r, c, s)), T(9))
    {
    }
    xconv::Matrix matrix() { return {data.data(), rows, cols, stride}; }
    T operator()(int64_t i, int64_t j) const { return data[static_cast<size_t>(i * stride + j)]; }
    /// Compares everything with expected(i, j), within tolerance(i, j).
    template <class Expected, class Tolerance>
    void check(const std::string &what, Expected &&expected, Tolerance &&tolerance) const
    {
        for (int64_t k = 0; k < static_cast<int64_t>(data.size()); ++k) {
            const int64_t i = k / stride;
            const int64_t j = k % stride;
            const auto got = static_cast<double>(data[static_cast<size_t>(k)]);
            const bool gap = j >= cols;
            const double want = gap ? 9.0 : expected(i, j);
            if (!(std::abs(got - want) <= (gap ? 0.0 : tolerance(i, j)))) {
                FAIL(what << ": (" << i << ", " << j << ") is " << got << ", not " << want);
            }
        }
        SUCCEED(what);
    }
};

/// Where place p of runs lies.
inline int64_t position(const Runs &runs, int64_t p)
{
    return p / runs.length * runs.stride + p % runs.length;
}

inline double entry(const Probes &probes, Dtype compute, int64_t row, int64_t column)
{
    const int64_t r = probes.row + row;
    const int64_t c = probes.column + column;
    return compute == Dtype::f64
               ? xconv::probe_entry<double>(probes.seed, probes.distribution, r, c)
               : xconv::probe_entry<float>(probes.seed, probes.distribution, r, c);
}

/// The largest error of a sum of `terms` products of about unit size: the first
/// order bound of recursive summation, with head room for normal tails.
inline double rounding(Dtype compute, int64_t terms)
{
    const double unit = compute == Dtype::f64 ? 0x1p-53 : 0x1p-24;
    return 16 * unit * static_cast<double>(terms + 2);
}

} // namespace kernel_cases
