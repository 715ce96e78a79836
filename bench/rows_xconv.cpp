// This library: sketch, filter gradient from it, and forward.
#include "rows.hpp"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

namespace bench {
namespace {

void check(xconv_status status)
{
    if (status != XCONV_SUCCESS) {
        throw std::runtime_error(
            fmt::format("{}: {}", xconv_status_name(status), xconv_last_error()));
    }
}

/// A plan with its context, and the seed of the next draw.
class Planned : public Work {
  public:
    Planned(Layer &layer, const Case &which) : layer_(layer)
    {
        xconv_context_desc where = XCONV_CONTEXT_DESC_INIT;
        where.threads = layer.threads;
        xconv_context *context = nullptr;
        check(xconv_context_create(&where, &context));
        context_.reset(context);
        xconv_plan_options options = XCONV_PLAN_OPTIONS_INIT;
        options.contraction = which.order;
        xconv_plan *plan = nullptr;
        check(xconv_plan_create(context, &layer.conv, &which.scheme, &options, &plan));
        plan_.reset(plan);
        sketch_ = Buffer(query(XCONV_QUERY_SKETCH_BYTES));
        describe_passes();
    }
    void prepare() override { workspace_ = layer_.scratch(y_offset() + y_bytes_); }

  protected:
    [[nodiscard]] int64_t query(xconv_query what) const
    {
        int64_t value = 0;
        check(xconv_plan_query(plan_.get(), what, &value));
        return value;
    }
    void sketch()
    {
        check(xconv_sketch(context_.get(), plan_.get(), layer_.x.data(), seed_, sketch_.data(),
                           static_cast<size_t>(sketch_.bytes()), workspace_,
                           static_cast<size_t>(workspace_bytes_)));
    }
    void backward_filter()
    {
        check(xconv_backward_filter(context_.get(), plan_.get(), sketch_.data(),
                                    static_cast<size_t>(sketch_.bytes()), seed_, layer_.dy.data(),
                                    0.0, layer_.dw.data(), workspace_,
                                    static_cast<size_t>(workspace_bytes_)));
    }
    void backward_filter_exact()
    {
        check(xconv_backward_filter_exact(context_.get(), plan_.get(), layer_.x.data(),
                                          layer_.dy.data(), 0.0, layer_.dw.data(), workspace_,
                                          static_cast<size_t>(workspace_bytes_)));
    }
    void make_room_for_y() { y_bytes_ = layer_.sizes.y_bytes; }
    void forward(bool keep)
    {
        check(xconv_forward(context_.get(), plan_.get(), layer_.x.data(), layer_.w.data(), nullptr,
                            workspace_ + y_offset(), seed_, keep ? sketch_.data() : nullptr,
                            keep ? static_cast<size_t>(sketch_.bytes()) : 0, workspace_,
                            static_cast<size_t>(workspace_bytes_)));
    }
    void next_draw() { ++seed_; }

  private:
    [[nodiscard]] int64_t y_offset() const { return (workspace_bytes_ + 63) / 64 * 64; }
    void describe_passes()
    {
        workspace_bytes_ = query(XCONV_QUERY_WORKSPACE_MAX);
        const int64_t largest = std::max(query(XCONV_QUERY_WORKSPACE_SKETCH),
                                         query(XCONV_QUERY_WORKSPACE_BACKWARD_FILTER));
        counters["kept_bytes"] = static_cast<double>(sketch_.bytes());
        counters["x_bytes"] = static_cast<double>(layer_.sizes.x_bytes);
        counters["workspace_bytes"] = static_cast<double>(largest);
        counters["workspace_max_bytes"] = static_cast<double>(workspace_bytes_);
        label = query(XCONV_QUERY_CONTRACTION) == XCONV_DY_FIRST ? "dy_first" : "x_first";
    }

    struct Destroy {
        void operator()(xconv_context *context) const { xconv_context_destroy(context); }
        void operator()(xconv_plan *plan) const { xconv_plan_destroy(plan); }
    };
    Layer &layer_;
    std::unique_ptr<xconv_context, Destroy> context_;
    std::unique_ptr<xconv_plan, Destroy> plan_;
    Buffer sketch_;
    int64_t workspace_bytes_ = 0;
    std::byte *workspace_ = nullptr;
    int64_t y_bytes_ = 0; // of scratch memory behind the workspace
    uint64_t seed_ = 1;
};

class Step final : public Planned {
  public:
    using Planned::Planned;
    void run() override
    {
        next_draw();
        sketch();
        backward_filter();
    }
};

class Sketch final : public Planned {
  public:
    using Planned::Planned;
    void run() override
    {
        next_draw();
        sketch();
    }
};

class BackwardFilter final : public Planned {
  public:
    using Planned::Planned;
    void prepare() override
    {
        Planned::prepare();
        sketch();
    }
    void run() override { backward_filter(); }
};

class ExactFilter final : public Planned {
  public:
    using Planned::Planned;
    void run() override { backward_filter_exact(); }
};

template <bool keep> class Forward final : public Planned {
  public:
    Forward(Layer &layer, const Case &which) : Planned(layer, which) { make_room_for_y(); }
    void run() override
    {
        next_draw();
        forward(keep);
    }
};

template <class Kind> Row row(std::string name, const Case &which)
{
    Row result;
    result.name = std::move(name);
    result.make = [which](Layer &layer) { return std::make_unique<Kind>(layer, which); };
    return result;
}

} // namespace

std::vector<Row> xconv_rows(const Case &which)
{
    const std::string scheme = "xconv/" + which.scheme_name();
    std::vector<Row> rows;
    if ((which.rows & kInfo) != 0) {
        rows.push_back(row<ExactFilter>("xconv/filter_exact", which));
        rows.back().exact_gradient = true;
    }
    if ((which.rows & kForward) != 0) {
        rows.push_back(row<Forward<false>>("xconv/forward", which));
        rows.push_back(row<Forward<true>>(scheme + "/forward_sketch", which));
    }
    if ((which.rows & kStep) != 0) {
        rows.push_back(row<Step>(scheme + "/step", which));
        rows.back().peak = true;
    }
    if ((which.rows & (kParts | kForward)) != 0) {
        rows.push_back(row<Sketch>(scheme + "/sketch", which));
    }
    if ((which.rows & kParts) != 0) {
        rows.push_back(row<BackwardFilter>(scheme + "/backward_filter", which));
    }
    return rows;
}

} // namespace bench
