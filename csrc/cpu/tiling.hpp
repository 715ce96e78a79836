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
    [[nodiscard]] Tile operator[](int64_t index) const
    {
        const int64_t run = index / per_run();
        const int64_t offset = index % per_run() * longest;
        return {run * runs.length + offset, run * runs.stride + offset,
                std::min(longest, runs.length - offset)};
    }
};

} // namespace xconv::cpu
