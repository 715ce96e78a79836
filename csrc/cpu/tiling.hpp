// Runs of places, cut into tiles.
#pragma once

#include <algorithm>

#include "backend.hpp"
#include "checked.hpp"

namespace xconv::cpu {

/// A piece of one run: places [place, place + length) counted through all runs,
/// which lie at `position`.
struct Tile {
    int64_t place;
    int64_t position;
    int64_t length;
};

/// Runs in tiles of at most so many places; no tile spans two runs.
struct Tiling {
    Runs runs;
    int64_t longest;

    [[nodiscard]] int64_t per_run() const { return ceil_div(runs.length, longest); }
    [[nodiscard]] int64_t count() const { return runs.count * per_run(); }
    /// That a tile is a piece of.
    [[nodiscard]] int64_t run(int64_t index) const { return index / per_run(); }
    [[nodiscard]] Tile operator[](int64_t index) const
    {
        const int64_t offset = index % per_run() * longest;
        return {run(index) * runs.length + offset, run(index) * runs.stride + offset,
                std::min(longest, runs.length - offset)};
    }
};

/// What stands in a run of a row.
template <class T> T constant(const RunConstants &constants, int64_t i, int64_t run)
{
    return static_cast<T>(constants.factor) * row<T>(constants.values, i)[run];
}

} // namespace xconv::cpu
