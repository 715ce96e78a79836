// OpenMP loops with an explicit thread count, and a guard that makes libraries
// which ask OpenMP (oneDNN) use that count too.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <utility>

namespace xconv::cpu {

/// How many of `threads` are worth waking for so many multiply-adds, or steps
/// that cost as much: a thread takes microseconds to start.
inline int threads_worth(double steps, int threads)
{
    constexpr double grain = 1 << 18;
    return steps >= grain * threads ? threads : std::max(static_cast<int>(steps / grain), 1);
}

/// Call body(i) for i in [0, count) on up to `threads` threads, in contiguous
/// static shares. The first exception is rethrown on the calling thread.
template <class Body> void parallel_for(int threads, int64_t count, Body &&body)
{
    if (threads <= 1 || count <= 1) {
        for (int64_t i = 0; i < count; ++i) {
            body(i);
        }
        return;
    }
    std::exception_ptr failure;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < count; ++i) {
        try {
            body(i);
        }
        catch (...) {
#pragma omp critical(xconv_failure)
            if (!failure) {
                failure = std::current_exception();
            }
        }
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

/// Sets the calling thread's OpenMP thread count for a scope. The count is a
/// property of the thread, so this touches nobody else.
class ThreadScope {
  public:
    explicit ThreadScope(int threads) : before_(omp_get_max_threads())
    {
        omp_set_num_threads(threads);
    }
    ~ThreadScope() { omp_set_num_threads(before_); }
    ThreadScope(const ThreadScope &) = delete;
    ThreadScope &operator=(const ThreadScope &) = delete;

  private:
    int before_;
};

} // namespace xconv::cpu
