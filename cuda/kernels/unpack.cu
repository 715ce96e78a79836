// unpack: numbers from their codes, four neighbouring ones to a thread.
#include "cuda/kernels/packed.hpp"
#include "cuda/kernels/runs.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_packing.hpp"

namespace xconv::cuda {

namespace {

template <class T> struct Unpack {
    static constexpr int threads = 256;
    static constexpr int64_t kPlaces = 4 * threads;
    using Shared = NoShared;
    Packed<T> packed;
    int64_t first; // row
    int64_t offset;
    RunTiles tiles;
    T *out;
    int64_t stride;
    bool vectors;

    XCONV_DEVICE T decoded(int64_t row, int64_t place, const GroupRange<T> &range) const
    {
        const uint32_t levels = (1U << packed.bits) - 1U;
        const int64_t bit = place * packed.bits;
        const uint32_t byte = packed.codes[row * packed.row_bytes + bit / 8];
        return decode(range, byte >> (bit % 8) & levels, levels);
    }

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &) const
    {
        const int64_t i = team.block().x / tiles.count();
        const RunTile at = tiles.at(team.block().x % tiles.count());
        const int64_t begin = offset + at.run * tiles.runs.stride;
        T *row = out + i * stride + at.run * tiles.runs.length;
        team.each([&](int thread) {
            const int64_t p = at.offset + 4 * thread;
            Vector<T, 4> values;
            int64_t group = -1;
            GroupRange<T> range{};
            for (int k = 0; k < 4 && p + k < tiles.runs.length; ++k) {
                const int64_t place = begin + p + k;
                if (group < 0 || place == (group + 1) * packed.group) {
                    group = place / packed.group;
                    range = packed.ranges[(first + i) * packed.groups + group].widened();
                }
                values.at[k] = decoded(first + i, place, range);
            }
            store<4>(values, row, p, tiles.runs.length, vectors);
        });
    }
};

} // namespace

void unpack(Stream stream, Dtype compute, const Packing &packing, const void *packed, int64_t first,
            int64_t offset, Runs places, Matrix out)
{
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        using Kernel = Unpack<T>;
        // NOLINTNEXTLINE: only read
        const auto from = Packed<T>::make(packing, const_cast<void *>(packed));
        const RunTiles tiles = RunTiles::make(places, Kernel::kPlaces);
        const bool vectors = in_vectors<T>(out.data, 0, out.stride, 4) &&
                             (tiles.runs.count == 1 || tiles.runs.length % 4 == 0);
        launch(Kernel{from, first, offset, tiles, static_cast<T *>(out.data), out.stride, vectors},
               {checked_mul(out.rows, tiles.count(), "x-hat")}, stream);
    });
}

} // namespace xconv::cuda
