// expand: coefficients zᵀ, with z drawn on the way.
//
// A block draws 256 rows of 32 columns of z (128 of 16 in Float64) into shared memory,
// where a thread reads 4 neighbouring places for sums of several rows of `out`, kept
// in registers. z is drawn once for 256 rows of `out` where the columns fit, else for
// 64: a normal entry costs about 50 multiply-adds, a sign next to nothing.
#include "cuda/kernels/runs.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_probes.hpp"

namespace xconv::cuda {

namespace {

template <class T, bool Signs> struct Expand {
    static constexpr int threads = 256;
    static constexpr int blocks_per_multiprocessor = 2;
    static constexpr int kPlaces = 1024 / sizeof(T);
    static constexpr int kQuads = kPlaces / 4;
    static constexpr int kColumns = 128 / sizeof(T); // at a time, as kRows
    static constexpr int kRows = 64;
    static constexpr int kThreadRows = kRows * kQuads / threads;
    static constexpr int64_t kBlockRows = 4 * kRows;
    struct Shared {
        ProbeTile<T, Signs, kPlaces, kColumns> drawn;
        Vector<T, 4> z[kColumns][kQuads];
        Vector<T, 4> coefficients[kColumns][kRows / 4 + 1]; // columns in different banks
    };
    struct Sums {
        T at[kThreadRows][4];
    };

    ProbeTiles tiles;
    const T *coefficients; // rows x columns
    int64_t coefficient_stride;
    int64_t columns;
    const T *constants; // rows x runs, or null
    int64_t constant_stride;
    int64_t run_length;
    T factor; // of the constants
    T *out;
    int64_t rows;
    int64_t stride;
    bool vectors;

    /// Columns from `column` on, of those at a time.
    [[nodiscard]] XCONV_DEVICE int width(int64_t column) const
    {
        return static_cast<int>(columns - column < kColumns ? columns - column : kColumns);
    }

    template <class Team>
    XCONV_DEVICE void fill_tile(Team &team, int64_t row, int64_t column, Shared &shared) const
    {
        const Probes &probes = tiles.probes;
        team.each([&](int thread) {
            shared.drawn.prepare(thread, threads, probes, row, probes.column + column);
        });
        team.each([&](int thread) {
            for (int unit = thread; unit < width(column) * kQuads; unit += threads) {
                const int j = unit / kQuads;
                const int quad = unit % kQuads;
                shared.z[j][quad] =
                    shared.drawn.four(probes, row, probes.column + column, 4 * quad, j);
            }
        });
    }

    XCONV_DEVICE void fetch_coefficients(int thread, int64_t i, int64_t column,
                                         Shared &shared) const
    {
        for (int unit = thread; unit < kColumns * kRows; unit += threads) {
            const int j = unit % kColumns;
            const int r = unit / kColumns;
            const bool inside = i + r < rows && column + j < columns;
            shared.coefficients[j][r / 4].at[r % 4] =
                inside ? coefficients[(i + r) * coefficient_stride + column + j] : T(0);
        }
    }

    XCONV_DEVICE void add(int thread, int width, const Shared &shared, Sums &sums) const
    {
        const int quad = thread % kQuads;
        const int group = thread / kQuads * (kThreadRows / 4);
        for (int j = 0; j < width; ++j) {
            const Vector<T, 4> z = shared.z[j][quad];
            XCONV_UNROLL
            for (int r = 0; r < kThreadRows; ++r) {
                const T c = shared.coefficients[j][group + r / 4].at[r % 4];
                XCONV_UNROLL
                for (int p = 0; p < 4; ++p) {
                    sums.at[r][p] += c * z.at[p];
                }
            }
        }
    }

    [[nodiscard]] XCONV_DEVICE Sums begin_sums(int thread, const RunTile &at, int64_t i) const
    {
        Sums sums{};
        if (constants == nullptr) {
            return sums;
        }
        const int64_t first = i + thread / kQuads * kThreadRows;
        for (int p = 0; p < 4; ++p) {
            const int64_t last = tiles.runs.length - 1;
            int64_t place = at.offset + thread % kQuads * 4 + p;
            place = place < 0 ? 0 : place > last ? last : place; // those outside are not written
            // Runs that follow one another were made one.
            const int64_t run = at.run + place / run_length;
            XCONV_UNROLL
            for (int r = 0; r < kThreadRows; ++r) {
                if (first + r < rows) {
                    sums.at[r][p] = factor * constants[(first + r) * constant_stride + run];
                }
            }
        }
        return sums;
    }

    XCONV_DEVICE void write(int thread, const RunTile &at, int64_t i, const Sums &sums) const
    {
        const int64_t first = i + thread / kQuads * kThreadRows;
        const int64_t place = at.offset + thread % kQuads * 4;
        XCONV_UNROLL
        for (int r = 0; r < kThreadRows; ++r) {
            if (first + r < rows) {
                const Vector<T, 4> four{
                    {sums.at[r][0], sums.at[r][1], sums.at[r][2], sums.at[r][3]}};
                store<4>(four, out + (first + r) * stride + at.run * tiles.runs.length, place,
                         tiles.runs.length, vectors);
            }
        }
    }

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const RunTile at = tiles.at(team.block().x % tiles.count());
        const int64_t begin = team.block().x / tiles.count() * kBlockRows;
        const int64_t end = begin + kBlockRows < rows ? begin + kBlockRows : rows;
        auto sums = team.template registers<Sums>();
        for (int64_t i = begin; i < end; i += kRows) {
            team.each([&](int thread) { sums[thread] = begin_sums(thread, at, i); });
            for (int64_t column = 0; column < columns; column += kColumns) {
                if (i == begin || columns > kColumns) {
                    fill_tile(team, tiles.row(at), column, shared);
                }
                team.each([&](int thread) { fetch_coefficients(thread, i, column, shared); });
                team.each([&](int thread) { add(thread, width(column), shared, sums[thread]); });
            }
            team.each([&](int thread) { write(thread, at, i, sums[thread]); });
        }
    }
};

} // namespace

void expand(Stream stream, Dtype compute, const Probes &probes, Runs rows, ConstMatrix coefficients,
            const RunConstants *constants, Matrix out)
{
    const RunConstants begin = constants == nullptr ? RunConstants{} : *constants;
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        with_signs(probes.distribution, [&](auto signs) {
            using Kernel = Expand<T, decltype(signs)::value>;
            const ProbeTiles tiles = ProbeTiles::make(probes, rows, Kernel::kPlaces);
            launch(Kernel{tiles, static_cast<const T *>(coefficients.data), coefficients.stride,
                          coefficients.cols, static_cast<const T *>(begin.values.data),
                          begin.values.stride, rows.length, static_cast<T>(begin.factor),
                          static_cast<T *>(out.data), out.rows, out.stride,
                          tiles.in_fours<T>(out.data, out.stride)},
                   {checked_mul(tiles.count(), ceil_div(out.rows, Kernel::kBlockRows), "x-hat")},
                   stream);
        });
    });
}

} // namespace xconv::cuda
