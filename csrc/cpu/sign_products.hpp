// What the random projection's operations on matrix units (signs.hpp) share.
#pragma once

#include <algorithm>

#include "backend.hpp"
#include "cpu/parallel.hpp"
#include "cpu/signs.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu::signs {

/// Rows of Float32, `stride` apart.
struct FloatRows {
    const float *data;
    int64_t stride;
};

/// Places [place, place + length) of some rows of a tensor: as they lie, or widened
/// into `wide`, `run` apart.
inline FloatRows float_rows(Dtype dtype, ConstMatrix tensor, int64_t first, int64_t rows,
                            int64_t place, int64_t length, float *wide, int64_t run)
{
    if (dtype == Dtype::f32) {
        return {row<float>(tensor, first) + place, tensor.stride};
    }
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        if constexpr (is_half<In>) {
            const In *from = static_cast<const In *>(tensor.data) + first * tensor.stride + place;
            for (int64_t i = 0; i < rows; ++i) {
                best_simd_variant().halves<In>().widen(from + i * tensor.stride, length,
                                                       wide + i * run);
            }
        }
    });
    return {wide, run};
}

/// words[...][lane] of `count` places of kLanes columns.
inline void draw_columns(DrawBits draw_bits, const Probes &probes, int64_t count, uint32_t *words)
{
    int64_t rows[kLanes];
    int64_t columns[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) {
        rows[lane] = probes.row;
        columns[lane] = probes.column + lane;
    }
    draw_bits(probes.seed, rows, columns, count, words);
}

/// Columns of out that one product makes, at most.
inline constexpr int64_t kWidest = 512;

/// A product of tiles without gaps; its sums are still to be placed.
inline Product packed_product(const uint16_t *tiles, const uint32_t *const *paired, int64_t steps,
                              int64_t count, bool accumulate)
{
    Product product{};
    product.split = tiles;
    product.split_step = kSplitTile;
    product.paired = paired;
    product.paired_row = kLanes;
    product.paired_step = kPairedTile;
    product.steps = steps;
    product.run = steps;
    product.count = count;
    product.sums_tile = kLanes;
    product.accumulate = accumulate;
    return product;
}

/// Place the sums of a product in `rows` rows of a matrix, `columns` of them, and let
/// `multiply` make them; through a buffer where tiles stick out.
template <class Multiply>
void multiply_into(Product product, float *out, int64_t stride, int64_t rows, int64_t columns,
                   bool whole, Multiply &&multiply)
{
    product.sums = out;
    product.sums_row = stride;
    if (whole && columns % kLanes == 0) {
        multiply(product);
        return;
    }
    alignas(64) float sums[kLanes * kWidest];
    for (int64_t i = 0; product.accumulate && i < rows; ++i) {
        std::copy_n(out + i * stride, columns, sums + i * kWidest);
    }
    product.sums = sums;
    product.sums_row = kWidest;
    multiply(product);
    for (int64_t i = 0; i < rows; ++i) {
        std::copy_n(sums + i * kWidest, columns, out + i * stride);
    }
}

/// Products cost this share of what they cost elsewhere.
inline constexpr double kSpeed = 0.25;

/// The threads that a product of these extents, in whole tiles, is worth.
inline int threads_for(int threads, int64_t rows, int64_t depth, int64_t columns)
{
    const auto whole = [](int64_t extent) { return static_cast<double>(round_up(extent, kLanes)); };
    return threads_worth(kSpeed * whole(rows) * whole(depth) * whole(columns), threads);
}

} // namespace xconv::cpu::signs
