#include "device.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#if XCONV_TEST_CUDA
#include <cuda_runtime_api.h>
#endif

namespace support {

xconv_device test_device()
{
    const char *name = std::getenv("XCONV_TEST_DEVICE"); // NOLINT: nobody sets it
    return name != nullptr && std::string(name) == "cuda" ? XCONV_CUDA : XCONV_CPU;
}

#if XCONV_TEST_CUDA

namespace {

void require(cudaError_t result, const char *what)
{
    if (result != cudaSuccess) {
        throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(result));
    }
}

} // namespace

bool DeviceMemory::is_apart() { return test_device() == XCONV_CUDA; }

void *test_stream()
{
    if (test_device() != XCONV_CUDA) {
        return nullptr;
    }
    // The default stream and this one do not wait for each other: work that strays
    // there comes too early.
    static cudaStream_t stream = [] {
        cudaStream_t made = nullptr;
        require(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreate");
        return made;
    }();
    return stream;
}

DeviceMemory::DeviceMemory(size_t bytes) : bytes_(bytes)
{
    require(cudaMalloc(&data_, bytes == 0 ? 1 : bytes), "cudaMalloc");
}

DeviceMemory::~DeviceMemory() { static_cast<void>(cudaFree(data_)); }

void DeviceMemory::write(const void *from)
{
    require(cudaMemcpy(data_, from, bytes_, cudaMemcpyHostToDevice), "cudaMemcpy");
}

void DeviceMemory::read(void *to) const noexcept
{
    cudaError_t result = cudaDeviceSynchronize();
    if (result == cudaSuccess) {
        result = cudaMemcpy(to, data_, bytes_, cudaMemcpyDeviceToHost);
    }
    if (result != cudaSuccess) {
        std::fprintf(stderr, "results cannot be read: %s\n", cudaGetErrorString(result));
        std::abort();
    }
}

#else

// The CPU, or a CUDA device that is emulated on it (tests/cuda).

bool DeviceMemory::is_apart() { return false; }

void *test_stream() { return nullptr; }

DeviceMemory::DeviceMemory(size_t bytes) : bytes_(bytes)
{
    FAIL("the memory of the host would do, for " << bytes_ << " bytes");
}

DeviceMemory::~DeviceMemory() = default;

void DeviceMemory::write(const void * /*from*/) {}

void DeviceMemory::read(void * /*to*/) const noexcept {}

#endif

} // namespace support
