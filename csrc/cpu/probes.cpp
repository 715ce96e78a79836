#include "cpu/probes.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "checked.hpp"
#include "cpu/mix.hpp"
#include "cpu/parallel.hpp"
#include "cpu/probes_signs.hpp"
#include "cpu/signs.hpp"
#include "cpu/tiling.hpp"

namespace xconv::cpu {

int ProbeOps::threads_for(int64_t rows, int64_t depth, int64_t columns) const
{
    return threads_worth(static_cast<double>(rows) * static_cast<double>(depth) *
                             static_cast<double>(columns),
                         threads);
}

void ProbeOps::draw(Dtype dtype, const Probes &probes, Runs rows, Matrix out) const
{
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Kernels<T> &kernels = simd->kernels<T>();
        const Tiling tiles{rows, kTileRows};
        const int64_t groups = ceil_div(out.rows, kColumnGroup);
        constexpr int64_t cost = 8; // of drawing and storing an entry
        const int used = threads_for(out.rows, cost, rows.total());
        parallel_for(used, tiles.count() * groups, [&](int64_t task) {
            const Tile tile = tiles[task / groups];
            const int64_t j = task % groups * kColumnGroup;
            const int64_t columns = std::min(kColumnGroup, out.rows - j);
            const Probes window = probes.shifted(tile.position, j);
            T *target = row<T>(out, j) + tile.place;
            if (tile.length % kDrawUnit == 0) {
                kernels.draw(window, tile.length, columns, target, out.stride);
                return;
            }
            alignas(64) T z[kColumnGroup * kTileRows];
            kernels.draw(window, tile.length, columns, z, kTileRows);
            for (int64_t c = 0; c < columns; ++c) {
                std::copy(z + c * kTileRows, z + c * kTileRows + tile.length,
                          target + c * out.stride);
            }
        });
    });
}

void ProbeOps::expand(Dtype dtype, const Probes &probes, Runs rows, ConstMatrix coefficients,
                      const RunConstants *constants, Matrix out) const
{
    if constexpr (signs::kCompiled) {
        if (has_signs(dtype, probes)) {
            expand_signs(simd->draw_bits, threads, probes, rows, coefficients, constants, out);
            return;
        }
    }
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Kernels<T> &kernels = simd->kernels<T>();
        mix_tiles<T>(*this, {row<T>(coefficients, 0), 1, coefficients.stride, coefficients.cols},
                     rows, constants, out,
                     [&](int64_t k, int64_t terms, const Tile &tile, T *scratch) {
                         kernels.draw(probes.shifted(tile.position, k), tile.length, terms, scratch,
                                      kMixRun);
                         return ConstMatrix{scratch, terms, tile.length, kMixRun};
                     });
    });
}

void ProbeOps::probe_means(Dtype dtype, const Probes &probes, Runs rows, Matrix means) const
{
    constexpr double cost = 1.0 / 16; // of an entry
    const int used = threads_worth(
        cost * static_cast<double>(rows.total()) * static_cast<double>(means.cols), threads);
    with_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto run_length = static_cast<double>(rows.length);
        if (probes.distribution == Distribution::rademacher && rows.length == rows.stride) {
            parallel_for(used, means.cols, [&](int64_t j) {
                std::vector<int64_t> minus(static_cast<size_t>(rows.count));
                simd->count_signs(probes.shifted(0, j), rows.count, rows.length, minus.data());
                for (int64_t run = 0; run < rows.count; ++run) {
                    const int64_t sum = rows.length - 2 * minus[static_cast<size_t>(run)];
                    row<T>(means, run)[j] = static_cast<T>(static_cast<double>(sum) / run_length);
                }
            });
            return;
        }
        const Kernels<T> &kernels = simd->kernels<T>();
        const int64_t groups = ceil_div(means.cols, kColumnGroup);
        parallel_for(used, rows.count * groups, [&](int64_t task) {
            const int64_t run = task / groups;
            const int64_t j = task % groups * kColumnGroup;
            const int64_t columns = std::min(kColumnGroup, means.cols - j);
            alignas(64) T z[kColumnGroup * kTileRows];
            std::array<double, kColumnGroup> sums{};
            for (int64_t p = 0; p < rows.length; p += kTileRows) {
                const int64_t length = std::min(kTileRows, rows.length - p);
                kernels.draw(probes.shifted(run * rows.stride + p, j), length, columns, z,
                             kTileRows);
                simd->sums->kernels<T>().sum_rows(z, kTileRows, columns, length, sums.data());
            }
            for (int64_t c = 0; c < columns; ++c) {
                row<T>(means, run)[j + c] =
                    static_cast<T>(sums[static_cast<size_t>(c)] / run_length);
            }
        });
    });
}

} // namespace xconv::cpu
