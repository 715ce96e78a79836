// Functions that run on the CPU and on the GPU alike.
#pragma once

#if defined(__CUDACC__)
#define XCONV_HOST_DEVICE __host__ __device__
#else
#define XCONV_HOST_DEVICE
#endif
