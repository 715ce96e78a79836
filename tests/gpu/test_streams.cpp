// Contexts side by side: streams, devices, and the CPU.
#include <memory>

#include "../cases.hpp"
#include "../support.hpp"
#include "cuda_check.hpp"

using oracle::Conv;
using support::OnDevice;

namespace {

struct Destroy {
    void operator()(xconv_context *context) const { xconv_context_destroy(context); }
    void operator()(xconv_plan *plan) const { xconv_plan_destroy(plan); }
};
using ContextPointer = std::unique_ptr<xconv_context, Destroy>;
using PlanPointer = std::unique_ptr<xconv_plan, Destroy>;

ContextPointer make_context(xconv_device device, int32_t index = 0, void *stream = nullptr)
{
    xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
    desc.device = device;
    desc.device_index = index;
    desc.stream = stream;
    xconv_context *context = nullptr;
    REQUIRE_OK(xconv_context_create(&desc, &context));
    return ContextPointer(context);
}

PlanPointer make_plan(const xconv_context *context, const Conv &conv, const support::Scheme &scheme)
{
    const xconv_conv_desc conv_desc = support::describe(conv, XCONV_F32);
    const xconv_scheme_desc scheme_desc = support::describe(scheme);
    xconv_plan *plan = nullptr;
    REQUIRE_OK(xconv_plan_create(context, &conv_desc, &scheme_desc, nullptr, &plan));
    return PlanPointer(plan);
}

int64_t query(const PlanPointer &plan, xconv_query what)
{
    int64_t value = 0;
    REQUIRE_OK(xconv_plan_query(plan.get(), what, &value));
    return value;
}

/// sketch() on the host's memory or the device's.
support::Bytes cpu_sketch(const xconv_context *context, const PlanPointer &plan,
                          const std::vector<float> &x)
{
    support::Bytes sketch(static_cast<size_t>(query(plan, XCONV_QUERY_SKETCH_BYTES)));
    support::Bytes workspace(static_cast<size_t>(query(plan, XCONV_QUERY_WORKSPACE_SKETCH)));
    REQUIRE_OK(xconv_sketch(context, plan.get(), x.data(), 5, sketch.data(), sketch.size(),
                            workspace.data(), workspace.size()));
    return sketch;
}

support::Bytes gpu_sketch(const xconv_context *context, const PlanPointer &plan,
                          const std::vector<float> &x)
{
    support::Guarded<unsigned char> sketch(query(plan, XCONV_QUERY_SKETCH_BYTES));
    support::Guarded<unsigned char> workspace(query(plan, XCONV_QUERY_WORKSPACE_SKETCH));
    REQUIRE_OK(xconv_sketch(context, plan.get(), OnDevice(x).data(), 5, sketch.data(),
                            sketch.bytes(), workspace.data(), workspace.bytes()));
    return sketch.take();
}

std::vector<float> gpu_filter(const xconv_context *context, const PlanPointer &plan,
                              const support::Bytes &sketch, const std::vector<float> &dy,
                              int64_t count)
{
    support::Guarded<float> dw(count);
    support::Guarded<unsigned char> workspace(query(plan, XCONV_QUERY_WORKSPACE_BACKWARD_FILTER));
    REQUIRE_OK(xconv_backward_filter(context, plan.get(), OnDevice(sketch).data(), sketch.size(), 5,
                                     OnDevice(dy).data(), 0, dw.data(), workspace.data(),
                                     workspace.bytes()));
    return dw.take();
}

} // namespace

TEST_CASE("the CPU's sketch of small integers is the GPU's, and serves it", "[gpu]")
{
    const Conv conv = cases::conv2d(3, 4, 5, 10, 3, 1);
    support::Random random(8);
    const auto x = support::to<float>(random.small_integers(conv.x_count()));
    const auto dy = support::to<float>(random.small_integers(conv.y_count()));
    const ContextPointer cpu = make_context(XCONV_CPU);
    const ContextPointer gpu = make_context(XCONV_CUDA);
    for (const xconv_projection projection : {XCONV_DENSE, XCONV_ORTHOGONAL, XCONV_INDEPENDENT}) {
        support::Scheme scheme;
        scheme.projection = projection;
        scheme.probes = 8; // a power of two: dividing by it is exact
        INFO(scheme.describe());
        const PlanPointer cpu_plan = make_plan(cpu.get(), conv, scheme);
        const PlanPointer gpu_plan = make_plan(gpu.get(), conv, scheme);
        const support::Bytes there = cpu_sketch(cpu.get(), cpu_plan, x);
        const support::Bytes here = gpu_sketch(gpu.get(), gpu_plan, x);
        CHECK(here == there);

        std::vector<float> expected(static_cast<size_t>(conv.w_count()));
        support::Bytes workspace(
            static_cast<size_t>(query(cpu_plan, XCONV_QUERY_WORKSPACE_BACKWARD_FILTER)));
        REQUIRE_OK(xconv_backward_filter(cpu.get(), cpu_plan.get(), here.data(), here.size(), 5,
                                         dy.data(), 0, expected.data(), workspace.data(),
                                         workspace.size()));
        CHECK(gpu_filter(gpu.get(), gpu_plan, there, dy, conv.w_count()) == expected);
        CHECK(xconv_backward_filter(cpu.get(), gpu_plan.get(), here.data(), here.size(), 5,
                                    dy.data(), 0, expected.data(), workspace.data(),
                                    workspace.size()) == XCONV_MISMATCH);
    }
}

TEST_CASE("two contexts work on two streams at once", "[gpu]")
{
    const Conv conv = cases::conv2d(16, 16, 16, 32, 3, 1);
    support::Random random(9);
    const auto x = support::to<float>(random.values(conv.x_count()));
    const auto dy = support::to<float>(random.values(conv.y_count()));
    support::Scheme scheme;
    scheme.projection = XCONV_DENSE;
    scheme.probes = 16;
    const support::Stream streams[2];
    const ContextPointer contexts[] = {make_context(XCONV_CUDA, 0, streams[0].get()),
                                       make_context(XCONV_CUDA, 0, streams[1].get())};
    const PlanPointer plan = make_plan(contexts[0].get(), conv, scheme);
    const support::Bytes expected = gpu_sketch(contexts[0].get(), plan, x);
    const auto dw = gpu_filter(contexts[0].get(), plan, expected, dy, conv.w_count());

    const OnDevice<float> on_x(x);
    std::vector<std::unique_ptr<support::Guarded<unsigned char>>> sketches;
    std::vector<std::unique_ptr<support::Guarded<unsigned char>>> workspaces;
    for (int i = 0; i < 16; ++i) {
        sketches.push_back(std::make_unique<support::Guarded<unsigned char>>(
            query(plan, XCONV_QUERY_SKETCH_BYTES)));
        workspaces.push_back(std::make_unique<support::Guarded<unsigned char>>(
            query(plan, XCONV_QUERY_WORKSPACE_SKETCH)));
    }
    for (size_t i = 0; i < sketches.size(); ++i) {
        REQUIRE_OK(xconv_sketch(contexts[i % 2].get(), plan.get(), on_x.data(), 5,
                                sketches[i]->data(), sketches[i]->bytes(), workspaces[i]->data(),
                                workspaces[i]->bytes()));
    }
    for (const auto &sketch : sketches) {
        CHECK(sketch->take() == expected);
    }
    CHECK(gpu_filter(contexts[1].get(), plan, expected, dy, conv.w_count()) == dw);
}

TEST_CASE("a call leaves the thread's own device as it was", "[gpu]")
{
    int count = 0;
    REQUIRE_CUDA(cudaGetDeviceCount(&count));
    for (int index = 0; index < count; ++index) {
        REQUIRE_CUDA(cudaSetDevice(count - 1 - index));
        const ContextPointer context = make_context(XCONV_CUDA, index);
        const PlanPointer plan = make_plan(context.get(), cases::conv2d(1, 2, 2, 4, 3, 1), {});
        int now = -1;
        REQUIRE_CUDA(cudaGetDevice(&now));
        CHECK(now == count - 1 - index);
    }
    REQUIRE_CUDA(cudaSetDevice(0));
}
