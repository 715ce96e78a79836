// That cuDNN can plan for the exact passes, asked about a device that is only
// described to it. Nothing is run.
#include <string>

#include "../catch.hpp"
#include "cuda/cudnn_graph.hpp"

using xconv::ConvGeometry;
using xconv::Dtype;
using xconv::cuda::cudnn::Convolution;
using xconv::cuda::cudnn::Direction;
using xconv::cuda::cudnn::Handle;

namespace {

// An H100 in the words of cuDNN's own JSON.
const std::string h100 = R"({"deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900,
    "driverVer": 13000, "multiProcessorCount": 132, "warpSize": 32, "regsPerBlock": 65536,
    "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
    "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
    "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "maxCtasPerSM": 32,
    "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "pciDeviceId": 0, "isTccDriver": 0,
    "supportCoopLaunch": 1, "totalGlobalMem": 85000000000, "smClockRateKHz": 1980000,
    "memClockRateKHz": 2619000, "l2CacheSize": 52428800, "cudaDeviceId": 0})";

constexpr int64_t limit = int64_t{64} << 20;

ConvGeometry square(int64_t batch, int64_t channels, int64_t size)
{
    ConvGeometry g;
    g.batch = batch;
    g.in_channels = g.out_channels = channels;
    g.in = g.out = {1, size, size};
    g.kernel = {1, 3, 3};
    g.pad_begin = g.pad_end = {0, 1, 1};
    g.x_channel = g.y_channel = size * size;
    return g;
}

std::vector<ConvGeometry> geometries()
{
    std::vector<ConvGeometry> all{square(256, 64, 56), square(128, 128, 28), square(8, 16, 20),
                                  square(8, 16, 20),   square(8, 16, 20),    square(2, 32, 32),
                                  square(4, 8, 20)};
    all[2].pad_end = {0, 1, 3}; // asymmetric
    all[2].out = {1, 20, 22};
    all[2].y_channel = 440;
    all[3].groups = 16;
    all[4].x_channel = 1000; // a band of a larger tensor
    all[4].y_channel = 900;
    all[5].rank = 3;
    all[5].in = all[5].out = {32, 32, 32};
    all[5].kernel = {3, 3, 3};
    all[5].pad_begin = all[5].pad_end = {1, 1, 1};
    all[5].x_channel = all[5].y_channel = 32 * 32 * 32;
    all[6].rank = 1;
    all[6].in = all[6].out = {1, 1, 20};
    all[6].kernel = {1, 1, 3};
    all[6].pad_begin = all[6].pad_end = {0, 0, 1};
    all[6].x_channel = all[6].y_channel = 20;
    return all;
}

} // namespace

TEST_CASE("cuDNN plans every exact pass for an H100", "[cudnn]")
{
    const auto handle = std::make_shared<const Handle>(h100);
    for (const ConvGeometry &geometry : geometries()) {
        for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::f16, Dtype::bf16}) {
            for (const Direction direction :
                 {Direction::forward, Direction::forward_bias, Direction::backward_data,
                  Direction::backward_filter}) {
                if (element_bytes(dtype) == 2 && direction == Direction::backward_filter) {
                    continue; // it has no Float32 filters of 16-bit tensors
                }
                ConvGeometry g = geometry;
                g.dtype = dtype;
                INFO(g.describe() << " " << dtype_name(dtype) << ", direction "
                                  << static_cast<int>(direction));
                const auto made =
                    Convolution::make(handle, g, direction, dtype, {false, false, limit, false});
                REQUIRE(made);
                CHECK(made->workspace() <= limit);
                CHECK(made->describe().find("cuDNN engine ") == 0);
            }
        }
    }
}

TEST_CASE("cuDNN's best engine fits once the batch is in parts", "[cudnn]")
{
    const auto handle = std::make_shared<const Handle>(h100);
    ConvGeometry g = square(256, 64, 56);
    g.dtype = Dtype::f16;
    const auto best = [&](int64_t parts) {
        return Convolution::make(handle, g.with_batch(g.batch / parts), Direction::forward, g.dtype,
                                 {false, false, limit, true});
    };
    CHECK_FALSE(best(1));
    CHECK(best(8));
}

TEST_CASE("cuDNN has no plan for a convolution that does not add up", "[cudnn]")
{
    const auto handle = std::make_shared<const Handle>(h100);
    ConvGeometry g = square(8, 16, 20);
    g.out = {1, 25, 25};
    CHECK_FALSE(
        Convolution::make(handle, g, Direction::forward, g.dtype, {false, false, limit, false}));
}
