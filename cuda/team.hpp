// How one kernel body runs on the GPU and, in tests, on the CPU.
//
// A kernel is a struct of its arguments with
//     static constexpr int threads;            // of a block
//     struct Shared { ... };                   // what a block shares; no constructors
//     template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const;
// Its body is a sequence of phases, team.each(f): all threads of the block call
// f(thread) and meet before the next phase. Outside of phases a body may use only
// what is the same for all threads: arguments, team.block(), shared memory. What a
// thread carries from phase to phase lies in registers:
//     auto sum = team.template registers<float>();
//     team.each([&](int thread) { sum[thread] = 0; });
// On the CPU a phase is a loop over the threads. Neither shared memory nor
// registers hold anything to begin with; the CPU fills them with NaN.
#pragma once

#include <cstdint>

#if !defined(__CUDACC__)
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>
#endif

#if defined(__CUDACC__)
#define XCONV_DEVICE __device__
#define XCONV_UNROLL _Pragma("unroll")
#else
#define XCONV_DEVICE
#define XCONV_UNROLL
#endif

namespace xconv::cuda {

/// Blocks of a launch, or the place of one among them.
struct Grid {
    int64_t x;
    int64_t y = 1;
    int64_t z = 1;
};

#if defined(__CUDACC__)

template <int Threads> class Team {
  public:
    static constexpr int threads = Threads;

    __device__ Grid block() const { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
    __device__ Grid blocks() const { return {gridDim.x, gridDim.y, gridDim.z}; }

    template <class F> __device__ void each(F &&f)
    {
        f(static_cast<int>(threadIdx.x));
        __syncthreads();
    }

    template <class T> struct Registers {
        T value;
        __device__ T &operator[](int) { return value; }
    };
    template <class T> __device__ Registers<T> registers() const { return {}; }
};

#else

template <int Threads> class Team {
  public:
    static constexpr int threads = Threads;

    Team(Grid block, Grid blocks)
        : block_(block), blocks_(blocks),
          order_(static_cast<int>((block.x + block.y + block.z) % 3))
    {
    }

    [[nodiscard]] Grid block() const { return block_; }
    [[nodiscard]] Grid blocks() const { return blocks_; }

    /// Forwards, backwards or crisscross, another way in every phase and block: threads
    /// that depend on one another within a phase give other results.
    template <class F> void each(F &&f)
    {
        for (int i = 0; i < Threads; ++i) {
            switch (order_) {
            case 0:
                f(i);
                break;
            case 1:
                f(Threads - 1 - i);
                break;
            default:
                f((i * kLeap + Threads / 2) % Threads);
            }
        }
        order_ = (order_ + 1) % 3;
    }

    template <class T> class Registers {
      public:
        Registers() : bytes_(Threads * sizeof(T) + alignof(T), 0xFF)
        {
            static_assert(std::is_trivially_copyable_v<T>);
            void *data = bytes_.data();
            std::size_t space = bytes_.size();
            values_ = static_cast<T *>(std::align(alignof(T), Threads * sizeof(T), data, space));
        }
        T &operator[](int thread) { return values_[thread]; }

      private:
        std::vector<unsigned char> bytes_;
        T *values_;
    };
    template <class T> [[nodiscard]] Registers<T> registers() const { return {}; }

  private:
    Grid block_;
    Grid blocks_;
    int order_; // of the next phase

    static constexpr int kLeap = 37;
    static_assert(Threads % kLeap != 0, "a leap must reach all threads");
};

#endif

} // namespace xconv::cuda
