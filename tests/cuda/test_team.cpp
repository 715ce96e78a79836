// That kernels cannot go wrong on the GPU unseen: the CPU's way of running them
// shows what depends on luck there.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../catch.hpp"
#include "cuda/launch.hpp"

namespace cuda = xconv::cuda;

namespace {

/// Writes what a block finds before it has written anything.
struct ReadUnwritten {
    static constexpr int threads = 32;
    struct Shared {
        float value;
    };
    float *shared_value;
    float *register_value;

    template <class Team> void operator()(Team &team, Shared &shared) const
    {
        auto held = team.template registers<float>();
        team.each([&](int thread) {
            if (thread == 7) {
                *shared_value = shared.value;
                *register_value = held[thread];
            }
        });
        team.each([&](int) { shared.value = 1; }); // not seen by the next block
    }
};

/// Moves values to the next thread, with and without a phase between.
struct Shift {
    static constexpr int threads = 32;
    struct Shared {
        int value[threads + 1];
    };
    int *out;
    bool racing;

    template <class Team> void operator()(Team &team, Shared &shared) const
    {
        team.each([&](int thread) { shared.value[thread + 1] = shared.value[0] = 0; });
        team.each([&](int thread) {
            shared.value[thread + 1] = thread + 1;
            if (racing) {
                out[team.block().x * threads + thread] = shared.value[thread];
            }
        });
        team.each([&](int thread) {
            if (!racing) {
                out[team.block().x * threads + thread] = shared.value[thread];
            }
        });
    }
};

struct CountVisits {
    int *visits;
    void operator()(int64_t i) const { ++visits[i]; }
};

} // namespace

TEST_CASE("Shared memory and registers begin as NaN in every block", "[team]")
{
    float shared_value = 0;
    float register_value = 0;
    cuda::launch(ReadUnwritten{&shared_value, &register_value}, {2}, nullptr);
    CHECK(std::isnan(shared_value));
    CHECK(std::isnan(register_value));
}

TEST_CASE("A race within a phase gives other results than phases do", "[team]")
{
    // Whatever the order in which a phase ought to run: blocks run it in all of them.
    constexpr int blocks = 3;
    std::vector<int> right(blocks * Shift::threads);
    std::vector<int> racing(right.size());
    cuda::launch(Shift{right.data(), false}, {blocks}, nullptr);
    cuda::launch(Shift{racing.data(), true}, {blocks}, nullptr);
    int right_by_luck = 0;
    for (int block = 0; block < blocks; ++block) {
        const auto begin = block * Shift::threads;
        for (int thread = 0; thread < Shift::threads; ++thread) {
            CHECK(right[static_cast<size_t>(begin + thread)] == thread);
        }
        right_by_luck += std::equal(right.begin() + begin, right.begin() + begin + Shift::threads,
                                    racing.begin() + begin)
                             ? 1
                             : 0;
    }
    CHECK(right_by_luck == 1);
}

TEST_CASE("Elementwise kernels visit every element once", "[team]")
{
    // More than kManyBlocks blocks' worth goes round again.
    for (const int64_t count : {int64_t{1}, int64_t{257}, cuda::kManyBlocks * 256 + 5}) {
        std::vector<int> visits(static_cast<size_t>(count));
        cuda::launch_elements(CountVisits{visits.data()}, count, nullptr);
        CHECK(std::all_of(visits.begin(), visits.end(), [](int n) { return n == 1; }));
    }
    cuda::launch_elements(CountVisits{nullptr}, 0, nullptr);
}

TEST_CASE("Grids beyond the device's limits are refused", "[team]")
{
    CHECK_NOTHROW(cuda::check_grid({cuda::kMostBlocksX, 65535, 65535}));
    CHECK_THROWS_AS(cuda::check_grid({cuda::kMostBlocksX + 1}), xconv::Error);
    CHECK_THROWS_AS(cuda::check_grid({1, 65536}), xconv::Error);
    CHECK_THROWS_AS(cuda::check_grid({0}), xconv::Error);
}
