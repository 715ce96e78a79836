// draw: rows and columns of z, written out. Every entry costs a store and little
// else: its Philox block serves 128 signs.
#include "cuda/kernels/runs.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_probes.hpp"

namespace xconv::cuda {

namespace {

template <class T, bool Signs> struct Draw {
    static constexpr int threads = 256;
    static constexpr int kRows = 512;
    static constexpr int kColumns = 16;
    struct Shared {
        ProbeTile<T, Signs, kRows, kColumns> drawn;
    };
    ProbeTiles tiles;
    int64_t columns;
    T *out; // a row for each column
    int64_t stride;
    bool vectors;

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const int64_t column_tiles = (columns + kColumns - 1) / kColumns;
        const int64_t column = team.block().x % column_tiles * kColumns;
        const RunTile at = tiles.at(team.block().x / column_tiles);
        const int64_t row = tiles.row(at);
        const Probes &probes = tiles.probes;
        team.each([&](int thread) {
            shared.drawn.prepare(thread, threads, probes, row, probes.column + column);
        });
        team.each([&](int thread) {
            for (int unit = thread; unit < kColumns * kRows / 4; unit += threads) {
                const int place = unit % (kRows / 4) * 4;
                const int j = unit / (kRows / 4);
                if (column + j < columns && at.offset + place < tiles.runs.length) {
                    store<4>(shared.drawn.four(probes, row, probes.column + column, place, j),
                             out + (column + j) * stride + at.run * tiles.runs.length,
                             at.offset + place, tiles.runs.length, vectors);
                }
            }
        });
    }
};

} // namespace

void draw(Stream stream, Dtype compute, const Probes &probes, Runs rows, Matrix out)
{
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        with_signs(probes.distribution, [&](auto signs) {
            using Kernel = Draw<T, decltype(signs)::value>;
            const ProbeTiles tiles = ProbeTiles::make(probes, rows, Kernel::kRows);
            launch(Kernel{tiles, out.rows, static_cast<T *>(out.data), out.stride,
                          tiles.in_fours<T>(out.data, out.stride)},
                   {checked_mul(tiles.count(), ceil_div(out.rows, Kernel::kColumns), "probes")},
                   stream);
        });
    });
}

} // namespace xconv::cuda
