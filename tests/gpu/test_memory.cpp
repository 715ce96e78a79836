// Whose memory a pointer names, and what is left of the device's after use.
#include <string>

#include "../cases.hpp"
#include "../support.hpp"
#include "cuda_check.hpp"

using support::Context;
using support::DeviceMemory;

TEST_CASE("memory of the host is refused by the argument's name", "[gpu]")
{
    const Context context;
    std::vector<float> host(64);
    const DeviceMemory device(64 * sizeof(float));
    auto *there = static_cast<float *>(device.data());
    CHECK(xconv_relu_forward(context.get(), XCONV_F32, 64, 0, 1, host.data(), there, nullptr, 0) ==
          XCONV_INVALID_ARGUMENT);
    CHECK(std::string(xconv_last_error()).find("x = ") != std::string::npos);
    CHECK(xconv_relu_forward(context.get(), XCONV_F32, 64, 0, 1, there, host.data(), nullptr, 0) ==
          XCONV_INVALID_ARGUMENT);
    CHECK(std::string(xconv_last_error()).find("y = ") != std::string::npos);
    // The context is as good as before, and so is the application's error state.
    CHECK(cudaPeekAtLastError() == cudaSuccess);
    CHECK(xconv_relu_forward(context.get(), XCONV_F32, 64, 0, 1, there, there, nullptr, 0) ==
          XCONV_SUCCESS);
    REQUIRE_CUDA(cudaDeviceSynchronize());
}

TEST_CASE("managed memory serves the host and the device", "[gpu]")
{
    const Context context;
    float *shared = nullptr;
    REQUIRE_CUDA(cudaMallocManaged(reinterpret_cast<void **>(&shared), 64 * sizeof(float)));
    std::fill_n(shared, 64, -2.0F);
    REQUIRE_OK(xconv_relu_forward(context.get(), XCONV_F32, 64, 0.5, INFINITY, shared, shared,
                                  nullptr, 0));
    REQUIRE_CUDA(cudaDeviceSynchronize());
    CHECK(shared[63] == -1.0F);
    REQUIRE_CUDA(cudaFree(shared));
}

TEST_CASE("tensors may lie at any element, not only where allocations begin", "[gpu]")
{
    const oracle::Conv conv = cases::conv2d(2, 4, 4, 9, 3, 1);
    support::Random random(4);
    const auto x = support::to<float>(random.small_integers(conv.x_count()));
    const auto dy = support::to<float>(random.small_integers(conv.y_count()));
    const Context context;
    const support::Plan plan(context, conv, XCONV_F32);
    support::Guarded<unsigned char> workspace(
        plan.query(XCONV_QUERY_WORKSPACE_BACKWARD_FILTER_EXACT));
    const auto filter = [&](size_t shift) {
        std::vector<float> moved_x(shift), moved_dy(shift);
        moved_x.insert(moved_x.end(), x.begin(), x.end());
        moved_dy.insert(moved_dy.end(), dy.begin(), dy.end());
        support::Guarded<float> dw(conv.w_count());
        REQUIRE_OK(xconv_backward_filter_exact(context.get(), plan.get(),
                                               support::OnDevice(moved_x).data() + shift,
                                               support::OnDevice(moved_dy).data() + shift, 0,
                                               dw.data(), workspace.data(), workspace.bytes()));
        return dw.take();
    };
    CHECK(filter(1) == filter(0));
}

TEST_CASE("contexts and plans leave no memory behind", "[gpu]")
{
    const auto use = [] {
        support::Layer<float> layer(1, cases::conv2d(2, 3, 4, 8, 3, 1));
        support::Random random(1);
        static_cast<void>(
            layer.backward_bias(support::to<float>(random.values(layer.conv().y_count()))));
    };
    use(); // libraries load their code once
    size_t before = 0;
    size_t after = 0;
    size_t total = 0;
    REQUIRE_CUDA(cudaDeviceSynchronize());
    REQUIRE_CUDA(cudaMemGetInfo(&before, &total));
    for (int i = 0; i < 8; ++i) {
        use();
    }
    REQUIRE_CUDA(cudaDeviceSynchronize());
    REQUIRE_CUDA(cudaMemGetInfo(&after, &total));
    // A context's own 32 MiB, eight times, would show.
    CHECK(after + (size_t{64} << 20) > before);
}

TEST_CASE("there is no device past the last", "[gpu]")
{
    int count = 0;
    REQUIRE_CUDA(cudaGetDeviceCount(&count));
    xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
    desc.device = XCONV_CUDA;
    desc.device_index = count;
    xconv_context *context = nullptr;
    CHECK(xconv_context_create(&desc, &context) == XCONV_DEVICE_ERROR);
    CHECK(std::string(xconv_last_error()).find("device_index = ") != std::string::npos);
}
