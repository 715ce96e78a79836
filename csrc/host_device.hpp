// Functions that run on the CPU and on the GPU alike.
#pragma once

#if defined(__CUDACC__)
#define XCONV_HOST_DEVICE __host__ __device__
#else
#define XCONV_HOST_DEVICE
#endif

/// For what the CPU's vector code is compiled from, too: never a function of its own,
/// of which the linker might keep the copy for another processor.
#if defined(__CUDACC__)
#define XCONV_ALWAYS_INLINE __host__ __device__ __forceinline__
#else
#define XCONV_ALWAYS_INLINE inline __attribute__((always_inline))
#endif
