// Where work is queued, without CUDA's headers.
#pragma once

/// What a cudaStream_t points to.
struct CUstream_st;

namespace xconv::cuda {

using Stream = CUstream_st *;

} // namespace xconv::cuda
