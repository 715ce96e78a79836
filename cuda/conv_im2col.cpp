#include "cuda/conv_im2col.hpp"

#include <algorithm>

#include "cuda/device_backend.hpp"
#include "cuda/ops_bias.hpp"
#include "cuda/ops_unfold.hpp"
#include "workspace.hpp"

namespace xconv::cuda {

namespace {

/// How many samples, or else groups of one sample, are unfolded at a time.
struct Cut {
    int64_t samples = 1;
    int64_t groups = 1;
};

/// `bytes` are those of one group of one sample.
Cut cut_for(const ConvGeometry &g, int64_t bytes, int64_t limit)
{
    Cut cut;
    cut.groups = std::clamp<int64_t>(limit / bytes, 1, g.groups);
    if (cut.groups == g.groups) {
        cut.samples = std::clamp<int64_t>(limit / bytes / g.groups, 1, g.batch);
    }
    return cut;
}

std::string describe_cut(const Cut &cut)
{
    return fmt::format("im2col + BLAS, {} sample(s) of {} group(s) at a time", cut.samples,
                       cut.groups);
}

/// A part of the work, and where it begins.
struct Part {
    int64_t sample, samples;
    int64_t group, groups;
};

template <class Body> void for_parts(const ConvGeometry &g, const Cut &cut, const Body &body)
{
    for (int64_t sample = 0; sample < g.batch; sample += cut.samples) {
        for (int64_t group = 0; group < g.groups; group += cut.groups) {
            body(Part{sample, std::min(cut.samples, g.batch - sample), group,
                      std::min(cut.groups, g.groups - group)});
        }
    }
}

/// Elements from one sample, and from one group, to the next.
struct Steps {
    int64_t sample;
    int64_t group;
};

/// The product of every sample and group of a part: in as few calls as the BLAS's
/// one step between neighbours allows.
void multiply_all(const Blas &blas, Product product, const Part &part, Steps a, Steps b, Steps out)
{
    const bool batch_samples = part.groups <= part.samples;
    const auto step = [&](Steps steps) { return batch_samples ? steps.sample : steps.group; };
    const auto other = [&](Steps steps) { return batch_samples ? steps.group : steps.sample; };
    product.count = batch_samples ? part.samples : part.groups;
    product.a.step = step(a);
    product.b.step = step(b);
    product.out_step = step(out);
    for (int64_t i = 0; i < (batch_samples ? part.groups : part.samples); ++i) {
        blas.multiply(product);
        product.a.data = at_element(product.dtype, product.a.data, other(a));
        product.b.data = at_element(product.dtype, product.b.data, other(b));
        product.out = at_element(product.out_dtype, product.out, other(out));
    }
}

const DeviceBackend &device(const Backend &on) { return static_cast<const DeviceBackend &>(on); }

/// What the passes share: offsets of a part into the tensors.
class Im2col {
  public:
    /// `rows` of `element` bytes are kept for each place of one group's output.
    Im2col(const ConvGeometry &g, int64_t rows, int64_t element, int64_t limit)
        : g_(g), column_(checked_mul(rows, element, "unfolded column"))
    {
        const int64_t bytes = checked_mul(column_, g.out_points(), "unfolded sample");
        cut_ = cut_for(g, std::max<int64_t>(bytes, 1), limit);
        bytes_ = checked_mul(bytes, cut_.samples * cut_.groups, "unfolded samples");
    }

  protected:
    [[nodiscard]] int64_t bytes() const { return round_up(bytes_, kAlignment); }
    [[nodiscard]] int64_t x_offset(const Part &part) const
    {
        return part.sample * g_.x_sample() + part.group * g_.in_per_group() * g_.x_channel;
    }
    [[nodiscard]] int64_t y_offset(const Part &part) const
    {
        return part.sample * g_.y_sample() + part.group * g_.out_per_group() * g_.y_channel;
    }
    [[nodiscard]] int64_t w_offset(const Part &part) const { return part.group * w_group(); }
    [[nodiscard]] int64_t w_group() const { return g_.out_per_group() * g_.unfolded_rows(); }
    [[nodiscard]] int64_t x_group() const { return g_.in_per_group() * g_.x_channel; }
    [[nodiscard]] int64_t y_group() const { return g_.out_per_group() * g_.y_channel; }

    ConvGeometry g_;
    Cut cut_;

  private:
    int64_t column_;
    int64_t bytes_ = 0;
};

/// y = w * unfolded(x), and the bias.
class Im2colForward final : public ForwardPass, private Im2col {
  public:
    Im2colForward(const ConvGeometry &g, int64_t limit)
        : Im2col(g, g.unfolds_to_itself() ? 0 : g.unfolded_rows(), element_bytes(g.dtype), limit)
    {
    }
    [[nodiscard]] int64_t workspace() const override { return bytes(); }
    [[nodiscard]] std::string describe() const override { return describe_cut(cut_); }

    void run(const Backend &on, const void *x, const void *w, const void *bias, void *y,
             void *workspace) const override
    {
        // The products are added to the bias: 16-bit results are rounded once.
        if (bias != nullptr) {
            spread_bias(device(on).stream(), g_, bias, y);
        }
        for_parts(g_, cut_, [&](const Part &part) {
            run_part(device(on), part, at_element(g_.dtype, x, x_offset(part)),
                     at_element(g_.dtype, w, w_offset(part)), bias != nullptr,
                     at_element(g_.dtype, y, y_offset(part)), workspace);
        });
    }

  private:
    void run_part(const DeviceBackend &on, const Part &part, const void *x, const void *w,
                  bool accumulate, void *y, void *matrix) const
    {
        const int64_t points = g_.out_points();
        const int64_t rows = g_.unfolded_rows();
        Factor unfolded{x, g_.x_channel};
        Steps steps{g_.x_sample(), x_group()};
        if (!g_.unfolds_to_itself()) {
            unfold(on.stream(), g_.with_batch(part.samples), part.groups * g_.in_per_group(), x,
                   matrix);
            unfolded = {matrix, part.samples * points};
            steps = {points, rows * unfolded.stride};
        }
        multiply_all(on.blas(),
                     {.dtype = g_.dtype,
                      .out_dtype = g_.dtype,
                      .rows = g_.out_per_group(),
                      .cols = points,
                      .inner = rows,
                      .a = {w, rows},
                      .b = unfolded,
                      .accumulate = accumulate,
                      .out = y,
                      .out_stride = g_.y_channel},
                     part, {0, w_group()}, steps, {g_.y_sample(), y_group()});
    }
};

/// dx = folded(wᵀ dy). The unfolded matrix holds numbers: folding adds them up.
class Im2colData final : public DataPass, private Im2col {
  public:
    Im2colData(const ConvGeometry &g, int64_t limit)
        : Im2col(g, g.unfolds_to_itself() ? 0 : g.unfolded_rows(),
                 element_bytes(compute_dtype(g.dtype)), limit)
    {
    }
    [[nodiscard]] int64_t workspace() const override { return bytes(); }
    [[nodiscard]] std::string describe() const override { return describe_cut(cut_); }

    void run(const Backend &on, const void *w, const void *dy, void *dx,
             void *workspace) const override
    {
        for_parts(g_, cut_, [&](const Part &part) {
            run_part(device(on), part, at_element(g_.dtype, w, w_offset(part)),
                     at_element(g_.dtype, dy, y_offset(part)),
                     at_element(g_.dtype, dx, x_offset(part)), workspace);
        });
    }

  private:
    void run_part(const DeviceBackend &on, const Part &part, const void *w, const void *dy,
                  void *dx, void *matrix) const
    {
        const int64_t points = g_.out_points();
        const int64_t rows = g_.unfolded_rows();
        const bool plain = g_.unfolds_to_itself();
        const int64_t stride = plain ? g_.x_channel : part.samples * points;
        multiply_all(on.blas(),
                     {.dtype = g_.dtype,
                      .out_dtype = plain ? g_.dtype : compute_dtype(g_.dtype),
                      .rows = rows,
                      .cols = points,
                      .inner = g_.out_per_group(),
                      .a = {w, rows, true},
                      .b = {dy, g_.y_channel},
                      .out = plain ? dx : matrix,
                      .out_stride = stride},
                     part, {0, w_group()}, {g_.y_sample(), y_group()},
                     plain ? Steps{g_.x_sample(), x_group()} : Steps{points, rows * stride});
        if (!plain) {
            fold(on.stream(), g_.with_batch(part.samples), part.groups * g_.in_per_group(), matrix,
                 dx);
        }
    }
};

/// dy as the input of a 1x1 convolution: unfolding it puts the samples of a channel
/// side by side.
ConvGeometry geometry_of_dy(const ConvGeometry &g)
{
    ConvGeometry dy = g;
    dy.in_channels = g.out_channels;
    dy.in = g.out;
    dy.x_channel = g.y_channel;
    dy.kernel = dy.stride = dy.dilation = {1, 1, 1};
    dy.pad_begin = dy.pad_end = {0, 0, 0};
    return dy;
}

/// sum = dy * unfolded(x)ᵀ, over all places of all samples of a part at once.
class Im2colFilter final : public FilterPass, private Im2col {
  public:
    Im2colFilter(const ConvGeometry &g, int64_t limit)
        : Im2col(g, g.unfolded_rows() + g.out_per_group(), element_bytes(g.dtype),
                 limit - kAlignment),
          dy_(geometry_of_dy(g))
    {
    }
    [[nodiscard]] int64_t workspace() const override { return bytes() + kAlignment; }
    [[nodiscard]] std::string describe() const override { return describe_cut(cut_); }

    void run(const Backend &on, const void *x, const void *dy, bool accumulate, void *sum,
             void *workspace) const override
    {
        for_parts(g_, cut_, [&](const Part &part) {
            run_part(device(on), part, at_element(g_.dtype, x, x_offset(part)),
                     at_element(g_.dtype, dy, y_offset(part)), accumulate || part.sample > 0,
                     at_element(compute_dtype(g_.dtype), sum, w_offset(part)), workspace);
        });
    }

  private:
    void run_part(const DeviceBackend &on, const Part &part, const void *x, const void *dy,
                  bool accumulate, void *sum, void *workspace) const
    {
        const int64_t rows = g_.unfolded_rows();
        const int64_t places = part.samples * g_.out_points();
        Arena arena(workspace);
        void *grads =
            arena.take(part.groups * g_.out_per_group() * places * element_bytes(g_.dtype));
        void *matrix = arena.take(part.groups * rows * places * element_bytes(g_.dtype));
        unfold(on.stream(), dy_.with_batch(part.samples), part.groups * g_.out_per_group(), dy,
               grads);
        unfold(on.stream(), g_.with_batch(part.samples), part.groups * g_.in_per_group(), x,
               matrix);
        on.blas().multiply({.dtype = g_.dtype,
                            .out_dtype = compute_dtype(g_.dtype),
                            .rows = g_.out_per_group(),
                            .cols = rows,
                            .inner = places,
                            .a = {grads, places, false, g_.out_per_group() * places},
                            .b = {matrix, places, true, rows * places},
                            .accumulate = accumulate,
                            .out = sum,
                            .out_stride = rows,
                            .out_step = w_group(),
                            .count = part.groups});
    }

    ConvGeometry dy_;
};

} // namespace

std::unique_ptr<ForwardPass> make_im2col_forward(const ConvGeometry &g, int64_t workspace_limit)
{
    return std::make_unique<Im2colForward>(g, workspace_limit);
}

std::unique_ptr<DataPass> make_im2col_backward_data(const ConvGeometry &g, int64_t workspace_limit)
{
    return std::make_unique<Im2colData>(g, workspace_limit);
}

std::unique_ptr<FilterPass> make_im2col_backward_filter(const ConvGeometry &g,
                                                        int64_t workspace_limit)
{
    return std::make_unique<Im2colFilter>(g, workspace_limit);
}

} // namespace xconv::cuda
