// Launches a kernel (team.hpp): by nvcc on a stream, by a C++ compiler, for tests,
// as loops on the calling thread. Files that launch compile either way.
#pragma once

#include <algorithm>
#include <cstdint>

#include "checked.hpp"
#include "cuda/stream.hpp"
#include "cuda/team.hpp"

#if defined(__CUDACC__)
#include "cuda/check.hpp"
#else
#include <memory>
#endif

namespace xconv::cuda {

inline constexpr int64_t kMostBlocksX = 2147483647;
inline constexpr int64_t kMostBlocksYZ = 65535;

inline void check_grid(Grid grid)
{
    const auto within = [](int64_t blocks, int64_t most) { return blocks >= 1 && blocks <= most; };
    if (!within(grid.x, kMostBlocksX) || !within(grid.y, kMostBlocksYZ) ||
        !within(grid.z, kMostBlocksYZ)) {
        fail(XCONV_INTERNAL, "a grid of {} x {} x {} blocks", grid.x, grid.y, grid.z);
    }
}

#if defined(__CUDACC__)

/// A kernel may say how many of its blocks a multiprocessor should hold at least.
template <class Kernel> constexpr int blocks_wanted()
{
    if constexpr (requires { Kernel::blocks_per_multiprocessor; }) {
        return Kernel::blocks_per_multiprocessor;
    }
    return 1;
}

template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads, blocks_wanted<Kernel>())
    run_kernel(const __grid_constant__ Kernel kernel)
{
    __shared__ typename Kernel::Shared shared;
    Team<Kernel::threads> team;
    kernel(team, shared);
}

template <class Kernel> void launch(const Kernel &kernel, Grid grid, Stream stream)
{
    check_grid(grid);
    const dim3 blocks(static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                      static_cast<unsigned>(grid.z));
    // Its own result: cudaGetLastError() would also tell of other people's failures.
    void *arguments[] = {const_cast<Kernel *>(&kernel)};
    const auto *entry = reinterpret_cast<const void *>(&run_kernel<Kernel>);
    check(cudaLaunchKernel(entry, blocks, dim3(Kernel::threads), arguments, 0, stream),
          "kernel launch");
}

#else

template <class Kernel> void launch(const Kernel &kernel, Grid grid, Stream /*stream*/)
{
    check_grid(grid);
    using Shared = typename Kernel::Shared;
    static_assert(std::is_trivially_copyable_v<Shared>);
    const auto shared = std::make_unique<Shared>();
    for (int64_t z = 0; z < grid.z; ++z) {
        for (int64_t y = 0; y < grid.y; ++y) {
            for (int64_t x = 0; x < grid.x; ++x) {
                std::memset(static_cast<void *>(shared.get()), 0xFF, sizeof(Shared));
                Team<Kernel::threads> team({x, y, z}, grid);
                kernel(team, *shared);
            }
        }
    }
}

#endif

/// What a kernel shares when it shares nothing.
struct NoShared {};

/// Calls element(i) for every i < count.
template <class Element> struct Elementwise {
    static constexpr int threads = 256;
    using Shared = NoShared;
    Element element;
    int64_t count;

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &) const
    {
        team.each([&](int thread) {
            const int64_t step = team.blocks().x * threads;
            for (int64_t i = team.block().x * threads + thread; i < count; i += step) {
                element(i);
            }
        });
    }
};

/// Enough blocks to fill any device several times over.
inline constexpr int64_t kManyBlocks = 16384;

/// `element` is a functor with XCONV_DEVICE void operator()(int64_t) const.
template <class Element> void launch_elements(const Element &element, int64_t count, Stream stream)
{
    using Kernel = Elementwise<Element>;
    if (count > 0) {
        launch(Kernel{element, count}, {std::min(ceil_div(count, Kernel::threads), kManyBlocks)},
               stream);
    }
}

} // namespace xconv::cuda
