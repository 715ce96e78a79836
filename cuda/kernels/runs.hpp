// Runs of places (backend.hpp) cut into tiles, one for a block.
#pragma once

#include "backend.hpp"
#include "checked.hpp"
#include "cuda/kernels/probe_tile.hpp"

namespace xconv::cuda {

/// A piece of one run; `offset` is where it begins in the run.
struct RunTile {
    int64_t run;
    int64_t offset;
};

/// Tiles of `tile` places; none spans two runs.
struct RunTiles {
    Runs runs;
    int64_t tile;
    int64_t per_run;

    static RunTiles make(Runs runs, int64_t tile)
    {
        const Runs all = runs.joined();
        return {all, tile, ceil_div(all.length, tile)};
    }
    [[nodiscard]] XCONV_HOST_DEVICE int64_t count() const { return runs.count * per_run; }
    XCONV_DEVICE RunTile at(int64_t index) const
    {
        return {index / per_run, index % per_run * tile};
    }
};

/// Tiles of rows of z. They start where Philox blocks do: the first of a run may
/// begin before it, at a negative offset, and the last lie past its end.
struct ProbeTiles {
    Probes probes;
    Runs runs;
    int64_t tile; // a multiple of kSignsPerBlock
    int64_t per_run;

    static ProbeTiles make(const Probes &probes, Runs runs, int64_t tile)
    {
        const Runs all = runs.joined();
        const int64_t lead = all.count == 1 ? probes.row % kSignsPerBlock : kSignsPerBlock - 1;
        return {probes, all, tile, ceil_div(lead + all.length, tile)};
    }
    [[nodiscard]] XCONV_HOST_DEVICE int64_t count() const { return runs.count * per_run; }
    XCONV_DEVICE RunTile at(int64_t index) const
    {
        const int64_t run = index / per_run;
        const int64_t lead = (probes.row + run * runs.stride) % kSignsPerBlock;
        return {run, index % per_run * tile - lead};
    }
    /// First row of z of a tile, a multiple of kSignsPerBlock.
    XCONV_DEVICE int64_t row(const RunTile &at) const
    {
        return probes.row + at.run * runs.stride + at.offset;
    }
    /// Whether rows of a matrix that counts through the runs can be accessed four
    /// places at a time.
    template <class T> [[nodiscard]] bool in_fours(const void *data, int64_t stride) const
    {
        return in_vectors<T>(data, -(probes.row % 4), stride, 4) &&
               (runs.count == 1 || (runs.length % 4 == 0 && runs.stride % 4 == 0));
    }
};

} // namespace xconv::cuda
