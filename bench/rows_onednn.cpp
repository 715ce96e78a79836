// oneDNN's exact convolution, whole batch at once: the filter gradient that
// ratios are taken over, and the forward pass that the sketch is held against.
#include "rows.hpp"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "onednn_pass.hpp"

namespace bench {
namespace {

const dnnl::engine &engine()
{
    static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

int64_t aligned(size_t bytes) { return (static_cast<int64_t>(bytes) + 63) / 64 * 64; }

/// A tensor in the caller's layout and, where the primitive wants another one,
/// a copy of it in scratch memory.
class Operand {
  public:
    Operand(const dnnl::memory::desc &plain, const dnnl::memory::desc &native)
        : plain_(plain, engine(), nullptr), native_(native, engine(), nullptr),
          copied_(plain != native)
    {
        if (copied_) {
            to_native_.emplace(plain_, native_);
            to_plain_.emplace(native_, plain_);
        }
    }
    [[nodiscard]] bool copied() const { return copied_; }
    [[nodiscard]] int64_t scratch() const
    {
        return copied_ ? aligned(native_.get_desc().get_size()) : 0;
    }
    /// Returns the first byte of `at` that it did not take.
    std::byte *bind(void *data, std::byte *at)
    {
        plain_.set_data_handle(data);
        native_.set_data_handle(copied_ ? at : data);
        return at + scratch();
    }
    void load(dnnl::stream &stream)
    {
        if (copied_) {
            to_native_->execute(stream, plain_, native_);
        }
    }
    void store(dnnl::stream &stream)
    {
        if (copied_) {
            to_plain_->execute(stream, native_, plain_);
        }
    }
    [[nodiscard]] const dnnl::memory &native() const { return native_; }

  private:
    dnnl::memory plain_;
    dnnl::memory native_;
    bool copied_;
    std::optional<dnnl::reorder> to_native_;
    std::optional<dnnl::reorder> to_plain_;
};

/// Whether changes of layout are inside the timed region.
enum class Reorders { timed, untimed };

std::string describe(const char *implementation, bool copies, Reorders reorders)
{
    const char *what = !copies                       ? "no reorder"
                       : reorders == Reorders::timed ? "reorders counted"
                                                     : "reorders not counted";
    return fmt::format("direct, {}, {}", implementation, what);
}

class FilterGradient final : public Work {
  public:
    FilterGradient(Layer &layer, Layout layout, Reorders reorders)
        : layer_(layer), reorders_(reorders),
          descriptor_(filter_descriptor(engine(), layer, layout)), primitive_(descriptor_),
          x_(plain_x(layer), descriptor_.src_desc()),
          dy_(plain_y(layer), descriptor_.diff_dst_desc()),
          dw_(plain_w(layer), descriptor_.diff_weights_desc()),
          pad_(descriptor_.scratchpad_desc(), engine(), nullptr), stream_(engine())
    {
        label = describe(descriptor_.impl_info_str(), x_.copied() || dy_.copied(), reorders);
        counters["workspace_bytes"] = static_cast<double>(scratch());
    }
    void prepare() override
    {
        std::byte *at = layer_.scratch(scratch());
        at = x_.bind(layer_.x.data(), at);
        at = dy_.bind(layer_.dy.data(), at);
        at = dw_.bind(layer_.dw.data(), at);
        pad_.set_data_handle(at);
        load();
        stream_.wait();
    }
    void run() override
    {
        if (reorders_ == Reorders::timed) {
            load();
        }
        primitive_.execute(stream_, {{DNNL_ARG_SRC, x_.native()},
                                     {DNNL_ARG_DIFF_DST, dy_.native()},
                                     {DNNL_ARG_DIFF_WEIGHTS, dw_.native()},
                                     {DNNL_ARG_SCRATCHPAD, pad_}});
        dw_.store(stream_);
        stream_.wait();
    }

  private:
    [[nodiscard]] int64_t scratch() const
    {
        return x_.scratch() + dy_.scratch() + dw_.scratch() +
               aligned(descriptor_.scratchpad_desc().get_size());
    }
    void load()
    {
        x_.load(stream_);
        dy_.load(stream_);
    }

    Layer &layer_;
    Reorders reorders_;
    dnnl::convolution_backward_weights::primitive_desc descriptor_;
    dnnl::convolution_backward_weights primitive_;
    Operand x_;
    Operand dy_;
    Operand dw_;
    dnnl::memory pad_;
    dnnl::stream stream_;
};

class Forward final : public Work {
  public:
    Forward(Layer &layer, Layout layout)
        : layer_(layer), descriptor_(forward_descriptor(engine(), layer, layout)),
          primitive_(descriptor_), x_(plain_x(layer), descriptor_.src_desc()),
          w_(plain_w(layer), descriptor_.weights_desc()),
          y_(plain_y(layer), descriptor_.dst_desc()),
          pad_(descriptor_.scratchpad_desc(), engine(), nullptr), stream_(engine())
    {
        label = describe(descriptor_.impl_info_str(), x_.copied() || y_.copied(), Reorders::timed);
    }
    void prepare() override
    {
        const int64_t y_bytes = aligned(static_cast<size_t>(layer_.sizes.y_bytes));
        std::byte *at = layer_.scratch(y_bytes + x_.scratch() + w_.scratch() + y_.scratch() +
                                       aligned(descriptor_.scratchpad_desc().get_size()));
        std::byte *y = at;
        at = x_.bind(layer_.x.data(), at + y_bytes);
        at = w_.bind(layer_.w.data(), at);
        at = y_.bind(y, at);
        pad_.set_data_handle(at);
    }
    void run() override
    {
        x_.load(stream_);
        w_.load(stream_);
        primitive_.execute(stream_, {{DNNL_ARG_SRC, x_.native()},
                                     {DNNL_ARG_WEIGHTS, w_.native()},
                                     {DNNL_ARG_DST, y_.native()},
                                     {DNNL_ARG_SCRATCHPAD, pad_}});
        y_.store(stream_);
        stream_.wait();
    }

  private:
    Layer &layer_;
    dnnl::convolution_forward::primitive_desc descriptor_;
    dnnl::convolution_forward primitive_;
    Operand x_;
    Operand w_;
    Operand y_;
    dnnl::memory pad_;
    dnnl::stream stream_;
};

Row filter_row(const char *name, Layout layout, Reorders reorders)
{
    Row row;
    row.name = name;
    row.make = [=](Layer &layer) {
        return std::make_unique<FilterGradient>(layer, layout, reorders);
    };
    row.exact_gradient = true;
    row.peak = reorders == Reorders::timed;
    return row;
}

Row forward_row(const char *name, Layout layout)
{
    Row row;
    row.name = name;
    row.make = [=](Layer &layer) { return std::make_unique<Forward>(layer, layout); };
    return row;
}

} // namespace

std::vector<Row> onednn_rows(const Case &which)
{
    std::vector<Row> rows;
    if ((which.rows & kExact) != 0) {
        rows.push_back(filter_row("onednn/filter_any", Layout::any, Reorders::timed));
        rows.push_back(filter_row("onednn/filter_plain", Layout::plain, Reorders::timed));
    }
    if ((which.rows & kInfo) != 0) {
        rows.push_back(filter_row("onednn/filter_blocked", Layout::any, Reorders::untimed));
    }
    if ((which.rows & kForward) != 0) {
        rows.push_back(forward_row("onednn/forward_any", Layout::any));
        rows.push_back(forward_row("onednn/forward_plain", Layout::plain));
    }
    return rows;
}

} // namespace bench
