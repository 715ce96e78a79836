// A whole training step captured in a CUDA graph.
#include "../cases.hpp"
#include "../training_step.hpp"
#include "cuda_check.hpp"

using support::OnDevice;

namespace {

/// What a step reads and writes, on the device and staying there.
struct Buffers {
    Buffers(const oracle::Conv &conv, const support::Plan &plan, const training::Inputs<float> &in)
        : x(in.x), w(in.w), bias(in.bias), dy(in.dy), y(conv.y_count()), dw(conv.w_count()),
          dx(conv.x_count()), db(conv.out_channels), sketch(plan.query(XCONV_QUERY_SKETCH_BYTES)),
          workspace(plan.query(XCONV_QUERY_WORKSPACE_MAX))
    {
    }
    OnDevice<float> x, w, bias, dy;
    support::Guarded<float> y, dw, dx, db;
    support::Guarded<unsigned char> sketch, workspace;
};

void queue_step(const support::Context &context, const support::Plan &plan, Buffers &b)
{
    REQUIRE_OK(xconv_forward(context.get(), plan.get(), b.x.data(), b.w.data(), b.bias.data(),
                             b.y.data(), 11, b.sketch.data(), b.sketch.bytes(), b.workspace.data(),
                             b.workspace.bytes()));
    REQUIRE_OK(xconv_backward_filter(context.get(), plan.get(), b.sketch.data(), b.sketch.bytes(),
                                     11, b.dy.data(), 0, b.dw.data(), b.workspace.data(),
                                     b.workspace.bytes()));
    REQUIRE_OK(xconv_backward_data(context.get(), plan.get(), b.w.data(), b.dy.data(), b.dx.data(),
                                   b.workspace.data(), b.workspace.bytes()));
    REQUIRE_OK(xconv_backward_bias(context.get(), plan.get(), b.dy.data(), 0, b.db.data()));
}

} // namespace

TEST_CASE("a training step can be captured in a graph and replayed", "[gpu]")
{
    const oracle::Conv conv = cases::conv2d(4, 6, 8, 12, 3, 1);
    const training::Inputs<float> in(conv);
    for (const xconv_projection projection :
         {XCONV_IDENTITY, XCONV_DENSE, XCONV_ORTHOGONAL, XCONV_INDEPENDENT}) {
        support::Scheme scheme;
        scheme.projection = projection;
        scheme.probes = projection == XCONV_IDENTITY ? 0 : 12;
        INFO(scheme.describe());
        const support::Context context;
        const support::Plan plan(context, conv, XCONV_F32, scheme);
        Buffers direct(conv, plan, in);
        queue_step(context, plan, direct);

        Buffers replayed(conv, plan, in);
        auto *stream = static_cast<cudaStream_t>(support::test_stream());
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t runnable = nullptr;
        // The strictest mode: anything that waits or allocates breaks the capture.
        REQUIRE_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
        queue_step(context, plan, replayed);
        REQUIRE_CUDA(cudaStreamEndCapture(stream, &graph));
        REQUIRE_CUDA(cudaGraphInstantiate(&runnable, graph, 0));
        REQUIRE_CUDA(cudaGraphLaunch(runnable, stream));
        REQUIRE_CUDA(cudaGraphLaunch(runnable, stream));
        REQUIRE_CUDA(cudaStreamSynchronize(stream));

        CHECK(replayed.y.take() == direct.y.take());
        CHECK(replayed.sketch.take() == direct.sketch.take());
        CHECK(replayed.dw.take() == direct.dw.take());
        CHECK(replayed.dx.take() == direct.dx.take());
        CHECK(replayed.db.take() == direct.db.take());
        REQUIRE_CUDA(cudaGraphExecDestroy(runnable));
        REQUIRE_CUDA(cudaGraphDestroy(graph));
    }
}
