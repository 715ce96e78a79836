// combine: coefficientsᵀ in, a short and wide product. It reads `in` once for every
// 32 columns of coefficients and is bound by that: a thread loads some neighbouring
// places of a row and adds them, times 16 or 32 coefficients, to sums in registers.
// Four groups of threads share out the rows of `in`, for blocks enough where places
// are few; their sums are added in order.
#include "cuda/kernels/runs.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_probes.hpp"

namespace xconv::cuda {

namespace {

/// Columns coefficients against Places neighbouring places in a thread.
template <class X, int Columns, int Places> struct Combine {
    using T = ComputeType<X>;
    static constexpr int threads = 256;
    static constexpr int blocks_per_multiprocessor = 2;
    static constexpr int kGroups = 4;
    static constexpr int kLanes = threads / kGroups;
    static constexpr int kPlaces = kLanes * Places; // of a block
    static constexpr int kDepth = 64;               // rows of `in` at a time
    static constexpr int kAhead = 64 / Columns;     // rows in flight
    struct Shared {
        union {
            Vector<T, 4> coefficients[kDepth][Columns / 4];
            T sums[kGroups][4][kPlaces]; // of 4 columns
        };
    };
    struct Sums {
        T at[Columns][Places];
    };

    const T *coefficients; // depth x columns
    int64_t coefficient_stride;
    int64_t columns;
    const X *in;
    int64_t depth;
    int64_t in_stride;
    RunTiles tiles;
    T *out;
    int64_t out_stride;
    bool vectors;

    XCONV_DEVICE void fetch_coefficients(int thread, int64_t b, int64_t column,
                                         Shared &shared) const
    {
        for (int unit = thread; unit < kDepth * Columns; unit += threads) {
            const int j = unit % Columns;
            const int k = unit / Columns;
            const bool inside = b + k < depth && column + j < columns;
            shared.coefficients[k][j / 4].at[j % 4] =
                inside ? coefficients[(b + k) * coefficient_stride + column + j] : T(0);
        }
    }

    XCONV_DEVICE void add(int thread, const RunTile &at, int64_t b, const Shared &shared,
                          Sums &sums) const
    {
        const int64_t place = at.offset + thread % kLanes * Places;
        const X *run = in + b * in_stride + at.run * tiles.runs.stride;
        const int64_t rest = depth - b;
        const int rows = static_cast<int>(rest < kDepth ? rest : kDepth);
#if defined(__CUDACC__)
#pragma unroll kAhead
#endif
        for (int k = thread / kLanes; k < rows; k += kGroups) {
            const Vector<T, Places> values =
                load<Places>(run + k * in_stride, place, tiles.runs.length, vectors);
            XCONV_UNROLL
            for (int j = 0; j < Columns; ++j) {
                const T c = shared.coefficients[k][j / 4].at[j % 4];
                XCONV_UNROLL
                for (int p = 0; p < Places; ++p) {
                    sums.at[j][p] += c * values.at[p];
                }
            }
        }
    }

    /// Adds up the groups for columns j .. j + 3.
    template <class Team, class AllSums>
    XCONV_DEVICE void write(Team &team, const RunTile &at, int64_t column, int j, AllSums &sums,
                            Shared &shared) const
    {
        team.each([&](int thread) {
            XCONV_UNROLL
            for (int i = 0; i < 4; ++i) {
                XCONV_UNROLL
                for (int p = 0; p < Places; ++p) {
                    shared.sums[thread / kLanes][i][thread % kLanes * Places + p] =
                        sums[thread].at[j + i][p];
                }
            }
        });
        team.each([&](int thread) {
            for (int unit = thread; unit < 4 * kPlaces; unit += threads) {
                const int i = unit / kPlaces;
                const int p = unit % kPlaces;
                if (column + j + i >= columns || at.offset + p >= tiles.runs.length) {
                    continue;
                }
                T sum = shared.sums[0][i][p];
                for (int group = 1; group < kGroups; ++group) {
                    sum += shared.sums[group][i][p];
                }
                out[(column + j + i) * out_stride + at.run * tiles.runs.length + at.offset + p] =
                    sum;
            }
        });
    }

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const int64_t column_tiles = (columns + Columns - 1) / Columns;
        const int64_t column = team.block().x % column_tiles * Columns;
        const RunTile at = tiles.at(team.block().x / column_tiles);
        auto sums = team.template registers<Sums>();
        team.each([&](int thread) { sums[thread] = Sums{}; });
        for (int64_t b = 0; b < depth; b += kDepth) {
            team.each([&](int thread) { fetch_coefficients(thread, b, column, shared); });
            team.each([&](int thread) { add(thread, at, b, shared, sums[thread]); });
        }
        XCONV_UNROLL
        for (int j = 0; j < Columns; j += 4) {
            write(team, at, column, j, sums, shared);
        }
    }
};

template <class X, int Columns, int Places>
void launch_combine(Stream stream, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                    Matrix out)
{
    using Kernel = Combine<X, Columns, Places>;
    using T = typename Kernel::T;
    const RunTiles tiles = RunTiles::make(columns, Kernel::kPlaces);
    const bool vectors = in_vectors<X>(in.data, 0, in.stride, Places) &&
                         (tiles.runs.count == 1 || tiles.runs.stride % Places == 0);
    launch(Kernel{static_cast<const T *>(coefficients.data), coefficients.stride, out.rows,
                  static_cast<const X *>(in.data), in.rows, in.stride, tiles,
                  static_cast<T *>(out.data), out.stride, vectors},
           {checked_mul(tiles.count(), ceil_div(out.rows, Columns), "cotangents")}, stream);
}

} // namespace

void combine(Stream stream, Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
             Matrix out)
{
    with_tensor_type(dtype, [&](auto tag) {
        using X = typename decltype(tag)::type;
        if constexpr (sizeof(X) == 8) {
            launch_combine<X, 16, 2>(stream, coefficients, in, columns, out);
        }
        else if (out.rows <= 16) {
            launch_combine<X, 16, 4>(stream, coefficients, in, columns, out);
        }
        else {
            launch_combine<X, 32, 2>(stream, coefficients, in, columns, out);
        }
    });
}

} // namespace xconv::cuda
