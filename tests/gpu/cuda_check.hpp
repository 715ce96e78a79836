// CUDA calls of the tests themselves.
#pragma once

#include <cuda_runtime_api.h>

#include "catch.hpp"

#define REQUIRE_CUDA(call)                                                                         \
    do {                                                                                           \
        const cudaError_t error_ = (call);                                                         \
        if (error_ != cudaSuccess) {                                                               \
            FAIL(#call << ": " << cudaGetErrorString(error_));                                     \
        }                                                                                          \
    } while (false)

namespace support {

/// A stream that the default one does not wait for.
class Stream {
  public:
    Stream() { REQUIRE_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
    ~Stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;
    [[nodiscard]] cudaStream_t get() const { return stream_; }

  private:
    cudaStream_t stream_ = nullptr;
};

} // namespace support
