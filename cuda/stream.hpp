// Where work is queued, without CUDA's headers.
#pragma once

namespace xconv::cuda {

struct Stream {
    void *handle = nullptr; // a cudaStream_t
};

} // namespace xconv::cuda
