// Library calls that bring their own OpenMP team.
#pragma once

#include <omp.h>

#include <exception>
#include <thread>
#include <utility>

#include "cpu/parallel.hpp"

namespace xconv::cpu {

/// Keeps OpenMP from handing out smaller teams than asked for when the machine
/// is busy (OMP_DYNAMIC). Like ThreadScope, it concerns the calling thread only.
class FullTeamScope {
  public:
    FullTeamScope() : before_(omp_get_dynamic()) { omp_set_dynamic(0); }
    ~FullTeamScope() { omp_set_dynamic(before_); }
    FullTeamScope(const FullTeamScope &) = delete;
    FullTeamScope &operator=(const FullTeamScope &) = delete;

  private:
    int before_;
};

/// Run f with a team of `threads` at its disposal.
///
/// Inside an active parallel region of the caller OpenMP hands out teams of one
/// unless nesting is switched on, and kernels that were prepared for `threads`
/// would wait for partners that never come. A thread of its own starts outside
/// every region, so f runs there. The first exception comes back to the caller.
template <class F> void with_team(int threads, F &&f)
{
    const auto run = [&] {
        const ThreadScope team(threads);
        const FullTeamScope full;
        std::forward<F>(f)();
    };
    if (!omp_in_parallel()) {
        run();
        return;
    }
    std::exception_ptr failure;
    std::thread([&] {
        try {
            run();
        }
        catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

} // namespace xconv::cpu
