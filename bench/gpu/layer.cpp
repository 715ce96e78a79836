#include "layer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "geometry.hpp"
#if XCONV_WITH_CUDNN
#include "cuda/cudnn_graph.hpp"
#endif

namespace gpu_bench {

namespace {

void check(xconv_status status)
{
    if (status != XCONV_SUCCESS) {
        throw std::runtime_error(
            fmt::format("{}: {}", xconv_status_name(status), xconv_last_error()));
    }
}

struct Destroy {
    void operator()(xconv_context *context) const { xconv_context_destroy(context); }
    void operator()(xconv_plan *plan) const { xconv_plan_destroy(plan); }
};

int64_t query(const xconv_plan *plan, xconv_query what)
{
    int64_t value = 0;
    check(xconv_plan_query(plan, what, &value));
    return value;
}

size_t size_of(const DeviceBuffer &buffer) { return static_cast<size_t>(buffer.bytes()); }

} // namespace

struct Layer::Parts {
    Parts(const bench::Case &which, const Settings &settings)
        : geometry(xconv::make_geometry(which.conv)), context(make_context(settings)),
          plan(make_plan(context.get(), which)), x(tensor_bytes(geometry.x_count())),
          w(tensor_bytes(geometry.w_count())), y(tensor_bytes(geometry.y_count())),
          dy(tensor_bytes(geometry.y_count())), dw(tensor_bytes(geometry.w_count())),
          sketch(query(plan.get(), XCONV_QUERY_SKETCH_BYTES)),
          workspace(query(plan.get(), XCONV_QUERY_WORKSPACE_MAX))
    {
        x.fill(geometry.dtype, 1);
        w.fill(geometry.dtype, 2);
        dy.fill(geometry.dtype, 3);
    }

    [[nodiscard]] int64_t tensor_bytes(int64_t count) const
    {
        return count * xconv::element_bytes(geometry.dtype);
    }

    static std::unique_ptr<xconv_context, Destroy> make_context(const Settings &settings)
    {
        xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
        desc.device = XCONV_CUDA;
        desc.stream = settings.stream;
        desc.allow_tf32 = settings.allow_tf32 ? 1 : 0;
        xconv_context *made = nullptr;
        check(xconv_context_create(&desc, &made));
        return std::unique_ptr<xconv_context, Destroy>(made);
    }
    static std::unique_ptr<xconv_plan, Destroy> make_plan(const xconv_context *context,
                                                          const bench::Case &which)
    {
        xconv_plan_options options = XCONV_PLAN_OPTIONS_INIT;
        options.contraction = which.order;
        xconv_plan *made = nullptr;
        check(xconv_plan_create(context, &which.conv, &which.scheme, &options, &made));
        return std::unique_ptr<xconv_plan, Destroy>(made);
    }

    void run_sketch()
    {
        check(xconv_sketch(context.get(), plan.get(), x.data(), 1, sketch.data(), size_of(sketch),
                           workspace.data(), size_of(workspace)));
    }
    void run_filter()
    {
        check(xconv_backward_filter(context.get(), plan.get(), sketch.data(), size_of(sketch), 1,
                                    dy.data(), 0, dw.data(), workspace.data(), size_of(workspace)));
    }
    void run_exact()
    {
        check(xconv_backward_filter_exact(context.get(), plan.get(), x.data(), dy.data(), 0,
                                          dw.data(), workspace.data(), size_of(workspace)));
    }
    void run_forward(bool keep)
    {
        check(xconv_forward(context.get(), plan.get(), x.data(), w.data(), nullptr, y.data(), 1,
                            keep ? sketch.data() : nullptr, keep ? size_of(sketch) : 0,
                            workspace.data(), size_of(workspace)));
    }

    void add_rows(const bench::Case &which);
    void add_cudnn_rows(const Settings &settings);

    xconv::ConvGeometry geometry;
    std::unique_ptr<xconv_context, Destroy> context;
    std::unique_ptr<xconv_plan, Destroy> plan;
    DeviceBuffer x, w, y, dy, dw, sketch, workspace;
#if XCONV_WITH_CUDNN
    std::shared_ptr<const xconv::cuda::cudnn::Handle> handle;
    std::vector<std::unique_ptr<xconv::cuda::cudnn::Convolution>> engines;
    std::vector<std::unique_ptr<DeviceBuffer>> engine_workspaces;
#endif
    std::vector<Row> rows;
};

/// The least that each row has to read, write and compute: tensors once, and for
/// the filter from the sketch the cheaper order of csrc/README.md.
void Layer::Parts::add_rows(const bench::Case &which)
{
    const auto &g = geometry;
    const double exact = 2 * g.multiply_adds();
    const auto r = static_cast<double>(which.scheme.probes);
    const bool dy_first = query(plan.get(), XCONV_QUERY_CONTRACTION) == XCONV_DY_FIRST;
    const auto x_count = static_cast<double>(g.x_count());
    const auto y_count = static_cast<double>(g.y_count());
    const double sketch_flops = 2 * r * x_count;
    const auto batch = static_cast<double>(g.batch);
    const double filter_flops =
        dy_first ? 2 * r * y_count + exact * r / batch : 2 * r * x_count + exact;
    const auto bytes = [](auto &...buffers) {
        return static_cast<double>((buffers.bytes() + ...));
    };
    const char *order = dy_first ? "dy_first" : "x_first";
    const std::string scheme = "xconv/" + which.scheme_name();
    rows.push_back({"xconv/filter_exact", "", [this] { run_exact(); }, bytes(x, dy, dw), exact});
    rows.push_back({"xconv/forward", "", [this] { run_forward(false); }, bytes(x, w, y), exact});
    rows.push_back({scheme + "/forward_sketch", order, [this] { run_forward(true); },
                    bytes(x, w, y, sketch), exact + sketch_flops});
    rows.push_back(
        {scheme + "/sketch", "", [this] { run_sketch(); }, bytes(x, sketch), sketch_flops});
    rows.push_back({scheme + "/backward_filter", order, [this] { run_filter(); },
                    bytes(sketch, dy, dw), filter_flops});
    rows.push_back({scheme + "/step", order,
                    [this] {
                        run_sketch();
                        run_filter();
                    },
                    bytes(x, sketch, dy, dw), sketch_flops + filter_flops});
}

void Layer::Parts::add_cudnn_rows(const Settings &settings)
{
#if XCONV_WITH_CUDNN
    using xconv::cuda::cudnn::Convolution;
    using xconv::cuda::cudnn::Direction;
    handle = std::make_shared<const xconv::cuda::cudnn::Handle>(settings.stream);
    const auto add = [&](const char *name, Direction direction, DeviceBuffer &in_w,
                         DeviceBuffer &in_y) {
        // All that cuDNN has, and more workspace than xconv allows itself.
        auto engine = Convolution::make(handle, geometry, direction, geometry.dtype,
                                        {settings.allow_tf32, true, int64_t{2} << 30});
        if (!engine) {
            return;
        }
        engine_workspaces.push_back(std::make_unique<DeviceBuffer>(engine->workspace()));
        rows.push_back({name, engine->describe(),
                        [this, made = engine.get(), space = engine_workspaces.back()->data(),
                         weights = in_w.data(), out = in_y.data()] {
                            made->run(*handle, x.data(), weights, nullptr, out, space);
                        },
                        static_cast<double>(x.bytes() + in_w.bytes() + in_y.bytes()),
                        2 * geometry.multiply_adds()});
        engines.push_back(std::move(engine));
    };
    add("cudnn/filter", Direction::backward_filter, dw, dy);
    add("cudnn/forward", Direction::forward, w, y);
#else
    static_cast<void>(settings);
#endif
}

Layer::Layer(const bench::Case &which, const Settings &settings)
    : parts_(std::make_unique<Parts>(which, settings))
{
    parts_->add_cudnn_rows(settings);
    parts_->add_rows(which);
}

Layer::~Layer() = default;

const std::vector<Row> &Layer::rows() const { return parts_->rows; }
int64_t Layer::kept_bytes() const { return parts_->sketch.bytes(); }
int64_t Layer::x_bytes() const { return parts_->x.bytes(); }
int64_t Layer::workspace_bytes() const { return parts_->workspace.bytes(); }

int64_t Layer::tensor_bytes(const bench::Case &which)
{
    const xconv::ConvGeometry g = xconv::make_geometry(which.conv);
    return xconv::element_bytes(g.dtype) * (g.x_count() + 2 * (g.w_count() + g.y_count()));
}

} // namespace gpu_bench
