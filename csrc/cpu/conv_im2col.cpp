#include "cpu/conv_im2col.hpp"

#include <algorithm>

#include "cpu/gemm.hpp"
#include "cpu/im2col.hpp"
#include "cpu/outside_parallel.hpp"
#include "workspace.hpp"

namespace xconv::cpu {

namespace {

// Every task owns the part of the result it writes and works through its share
// in a fixed order, so results depend on neither scheduling nor lane count. The
// CBLAS is always called with a team of one; the parallelism is between tasks.

// Elements of one lane's unfolded piece: it should stay in the second-level cache
// between being written and being read by the product.
constexpr int64_t kPieceBytes = 512 * 1024;

/// How the work is cut: tasks are dealt to lanes, a lane is one thread with one
/// piece of workspace.
struct Cut {
    int64_t tasks = 1;
    int64_t lanes = 1;
    int64_t rows = 1;   // of the unfolded matrix, at most, in a piece
    int64_t places = 1; // of the output, at most, in a piece
    int64_t piece = 0;  // bytes of one; 0 when x is used as it lies
};

/// Choose lanes and places for tasks with `rows` rows in a piece.
Cut cut_places(const ConvGeometry &g, int64_t tasks, int64_t rows, int64_t limit, int threads,
               bool unfold)
{
    Cut cut;
    cut.tasks = tasks;
    cut.rows = rows;
    const int64_t column = checked_mul(rows, element_bytes(g.dtype), "unfolded column");
    cut.lanes = std::min<int64_t>(tasks, threads);
    if (unfold) {
        cut.lanes = std::clamp<int64_t>(limit / round_up(column, kAlignment), 1, cut.lanes);
    }
    const int64_t bytes = std::min(kPieceBytes, limit / cut.lanes - kAlignment);
    cut.places = std::clamp<int64_t>(bytes / column, 1, g.out_points());
    cut.piece =
        unfold ? round_up(checked_mul(column, cut.places, "unfolded piece"), kAlignment) : 0;
    return cut;
}

/// body(task, piece) for every task, on `cut.lanes` threads.
template <class Body> void run_tasks(const Cut &cut, void *workspace, const Body &body)
{
    with_team(1, [&] {
        parallel_for(static_cast<int>(cut.lanes), cut.lanes, [&](int64_t lane) {
            void *piece = at_byte(workspace, lane * cut.piece);
            const int64_t first = cut.tasks * lane / cut.lanes;
            const int64_t last = cut.tasks * (lane + 1) / cut.lanes;
            for (int64_t task = first; task < last; ++task) {
                body(task, piece);
            }
        });
    });
}

std::string describe_cut(const Cut &cut)
{
    return fmt::format("im2col{} + GEMM, {} x {} at a time on {} lane(s)",
                       cut.piece == 0 ? " (in place)" : "", cut.rows, cut.places, cut.lanes);
}

/// y of one sample and group, a range of places: y = w * unfolded(x).
class Im2colForward final : public ForwardPass {
  public:
    Im2colForward(const ConvGeometry &g, int64_t limit, int threads) : g_(g)
    {
        const int64_t images = checked_mul(g.batch, g.groups, "batch * groups");
        // With fewer images than threads, ranges of places are tasks as well.
        slices_ = images >= threads ? 1 : std::min<int64_t>(threads, g.out_points());
        cut_ = cut_places(g, images * slices_, g.unfolded_rows(), limit, threads,
                          !g.unfolds_to_itself());
    }
    [[nodiscard]] int64_t workspace() const override { return cut_.lanes * cut_.piece; }
    [[nodiscard]] std::string describe() const override { return describe_cut(cut_); }

    void run(const Backend &, const void *x, const void *w, const void *bias, void *y,
             void *workspace) const override
    {
        with_type(g_.dtype, [&](auto tag) {
            using T = typename decltype(tag)::type;
            run_tasks(cut_, workspace, [&](int64_t task, void *piece) {
                run_task(task, static_cast<const T *>(x), static_cast<const T *>(w),
                         static_cast<const T *>(bias), static_cast<T *>(y),
                         static_cast<T *>(piece));
            });
        });
    }

  private:
    template <class T>
    void run_task(int64_t task, const T *x, const T *w, const T *bias, T *y, T *piece) const
    {
        const int64_t slice = task % slices_;
        const int64_t image = task / slices_; // (sample, group)
        const int64_t group = image % g_.groups;
        const int64_t rows = cut_.rows;
        const int64_t points = g_.out_points();
        const int64_t channels = g_.out_per_group();
        x += image * g_.in_per_group() * g_.x_channel;
        y += image * channels * g_.y_channel;
        w += group * channels * rows;
        const int64_t end = points * (slice + 1) / slices_;
        for (int64_t place = points * slice / slices_; place < end; place += cut_.places) {
            const int64_t places = std::min(cut_.places, end - place);
            Operand<T> unfolded{x + place, g_.x_channel};
            if (cut_.piece != 0) {
                im2col(g_, x, {0, rows, place, places}, piece);
                unfolded = {piece, places};
            }
            if (bias != nullptr) {
                for (int64_t c = 0; c < channels; ++c) {
                    std::fill_n(y + c * g_.y_channel + place, places, bias[group * channels + c]);
                }
            }
            gemm<T>(channels, places, rows, T(1), {w, rows}, unfolded, bias != nullptr, y + place,
                    g_.y_channel);
        }
    }

    ConvGeometry g_;
    Cut cut_;
    int64_t slices_ = 1; // of the places of one image
};

/// dx of one sample and a range of channels: dx = folded(wᵀ dy).
class Im2colData final : public DataPass {
  public:
    Im2colData(const ConvGeometry &g, int64_t limit, int threads) : g_(g)
    {
        const int64_t images = checked_mul(g.batch, g.groups, "batch * groups");
        slices_ = images >= threads ? 1 : std::min<int64_t>(threads, g.in_per_group());
        const int64_t channels = ceil_div(g.in_per_group(), slices_);
        cut_ = cut_places(g, images * slices_, channels * g.kernel_points(), limit, threads,
                          !g.unfolds_to_itself());
    }
    [[nodiscard]] int64_t workspace() const override { return cut_.lanes * cut_.piece; }
    [[nodiscard]] std::string describe() const override { return describe_cut(cut_); }

    void run(const Backend &, const void *w, const void *dy, void *dx,
             void *workspace) const override
    {
        with_type(g_.dtype, [&](auto tag) {
            using T = typename decltype(tag)::type;
            run_tasks(cut_, workspace, [&](int64_t task, void *piece) {
                run_task(task, static_cast<const T *>(w), static_cast<const T *>(dy),
                         static_cast<T *>(dx), static_cast<T *>(piece));
            });
        });
    }

  private:
    template <class T> void run_task(int64_t task, const T *w, const T *dy, T *dx, T *piece) const
    {
        const int64_t slice = task % slices_;
        const int64_t image = task / slices_;
        const int64_t group = image % g_.groups;
        const int64_t points = g_.out_points();
        const int64_t taps = g_.kernel_points();
        const int64_t first = g_.in_per_group() * slice / slices_;
        const int64_t channels = g_.in_per_group() * (slice + 1) / slices_ - first;
        dx += (image * g_.in_per_group() + first) * g_.x_channel;
        dy += image * g_.out_per_group() * g_.y_channel;
        w += group * g_.out_per_group() * g_.unfolded_rows() + first * taps;
        if (cut_.piece != 0) {
            for (int64_t c = 0; c < channels; ++c) {
                std::fill_n(dx + c * g_.x_channel, g_.in_points(), T(0));
            }
        }
        for (int64_t place = 0; place < points; place += cut_.places) {
            const int64_t places = std::min(cut_.places, points - place);
            T *out = cut_.piece != 0 ? piece : dx + place;
            gemm<T>(channels * taps, places, g_.out_per_group(), T(1),
                    {w, g_.unfolded_rows(), Op::transpose}, {dy + place, g_.y_channel}, false, out,
                    cut_.piece != 0 ? places : g_.x_channel);
            if (cut_.piece != 0) {
                col2im(g_, piece, {0, channels * taps, place, places}, dx);
            }
        }
    }

    ConvGeometry g_;
    Cut cut_;
    int64_t slices_ = 1; // of the channels of one image
};

/// A block of dw, over all samples and places: dw = dy * unfolded(x)ᵀ.
class Im2colFilter final : public FilterPass {
  public:
    Im2colFilter(const ConvGeometry &g, int64_t limit, int threads) : g_(g)
    {
        // Blocks are cut from the columns of dw first (each unfolded row is then
        // made once), and from its rows when there are too few columns.
        const int64_t wanted = ceil_div(threads, g.groups);
        slices_ = std::min(wanted, ceil_div(g.unfolded_rows(), 8));
        out_slices_ = std::min(ceil_div(wanted, slices_), g.out_per_group());
        cut_ = cut_places(g, checked_mul(g.groups, slices_ * out_slices_, "groups"),
                          ceil_div(g.unfolded_rows(), slices_), limit, threads,
                          !g.unfolds_to_itself());
    }
    [[nodiscard]] int64_t workspace() const override { return cut_.lanes * cut_.piece; }
    [[nodiscard]] std::string describe() const override { return describe_cut(cut_); }

    void run(const Backend &, const void *x, const void *dy, bool accumulate, void *dw,
             void *workspace) const override
    {
        with_type(g_.dtype, [&](auto tag) {
            using T = typename decltype(tag)::type;
            run_tasks(cut_, workspace, [&](int64_t task, void *piece) {
                run_task(task, static_cast<const T *>(x), static_cast<const T *>(dy), accumulate,
                         static_cast<T *>(dw), static_cast<T *>(piece));
            });
        });
    }

  private:
    template <class T>
    void run_task(int64_t task, const T *x, const T *dy, bool accumulate, T *dw, T *piece) const
    {
        const int64_t slice = task % slices_;
        const int64_t out_slice = task / slices_ % out_slices_;
        const int64_t group = task / slices_ / out_slices_;
        const int64_t points = g_.out_points();
        const int64_t row = g_.unfolded_rows() * slice / slices_;
        const int64_t rows = g_.unfolded_rows() * (slice + 1) / slices_ - row;
        const int64_t out_first = g_.out_per_group() * out_slice / out_slices_;
        const int64_t outs = g_.out_per_group() * (out_slice + 1) / out_slices_ - out_first;
        const int64_t out_channel = group * g_.out_per_group() + out_first;
        dw += out_channel * g_.unfolded_rows() + row;
        for (int64_t sample = 0; sample < g_.batch; ++sample) {
            const T *image = x + sample * g_.x_sample() + group * g_.in_per_group() * g_.x_channel;
            const T *grad = dy + sample * g_.y_sample() + out_channel * g_.y_channel;
            for (int64_t place = 0; place < points; place += cut_.places) {
                const int64_t places = std::min(cut_.places, points - place);
                Operand<T> unfolded{image + row * g_.x_channel + place, g_.x_channel,
                                    Op::transpose};
                if (cut_.piece != 0) {
                    im2col(g_, image, {row, rows, place, places}, piece);
                    unfolded = {piece, places, Op::transpose};
                }
                gemm<T>(outs, rows, places, T(1), {grad + place, g_.y_channel}, unfolded,
                        accumulate || sample > 0 || place > 0, dw, g_.unfolded_rows());
            }
        }
    }

    ConvGeometry g_;
    Cut cut_;
    int64_t slices_ = 1;     // of the columns of one group's dw
    int64_t out_slices_ = 1; // of its rows
};

} // namespace

std::unique_ptr<ForwardPass> make_im2col_forward(const ConvGeometry &g, int64_t workspace_limit,
                                                 int threads)
{
    return std::make_unique<Im2colForward>(g, workspace_limit, threads);
}

std::unique_ptr<DataPass> make_im2col_backward_data(const ConvGeometry &g, int64_t workspace_limit,
                                                    int threads)
{
    return std::make_unique<Im2colData>(g, workspace_limit, threads);
}

std::unique_ptr<FilterPass> make_im2col_backward_filter(const ConvGeometry &g,
                                                        int64_t workspace_limit, int threads)
{
    return std::make_unique<Im2colFilter>(g, workspace_limit, threads);
}

} // namespace xconv::cpu
