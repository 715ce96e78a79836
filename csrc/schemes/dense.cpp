// dense: the paper's multi-channel probing. Each probe meets all Ci * N numbers
// of a sample; the sketch is x-bar = x z, B x r.
//   dy first:  L = x-barᵀ dy (r images of Co channels), dw = wgrad(z, L) / r
//   x first:   x-hat = x-bar zᵀ in chunks of samples,   dw = wgrad(x-hat, dy) / r
#include <optional>

#include "cost.hpp"
#include "schemes/two_orders.hpp"

namespace xconv {

namespace {

class Dense final : public TwoOrders {
  public:
    explicit Dense(const ProjectionSetup &setup)
        : TwoOrders(setup), probes_(setup.probes),
          sketch_workspace_(setup.backend.project_workspace(geometry().dtype, geometry().batch,
                                                            geometry().x_sample(), probes_))
    {
        if (prepare(setup, choose(setup))) {
            on_probes_.emplace(setup.backend, geometry(), setup.probe_values(), probes_,
                               probes_at_once(setup), setup.workspace_limit / 4);
        }
    }

    [[nodiscard]] int64_t numbers_per_sample() const override { return probes_; }
    [[nodiscard]] int64_t sketch_workspace() const override { return sketch_workspace_; }
    [[nodiscard]] double scale() const override { return 1.0 / static_cast<double>(probes_); }

    void sketch(const Backend &on, uint64_t seed, const void *x, void *numbers,
                void *workspace) const override
    {
        const int64_t length = geometry().x_sample();
        on.project(geometry().dtype, probes(seed, 0, 0), {x, geometry().batch, length, length},
                   {numbers, geometry().batch, probes_, probes_}, workspace);
    }

  private:
    struct Pieces {
        void *z; // probes as images [chunk][Ci][N]
        void *l; // their cotangents [chunk][Co][M]
        void *filter;
    };

    Pieces take(Arena &arena) const
    {
        const int64_t chunk = on_probes_->chunk();
        return {arena.take(checked_mul(chunk, geometry().x_sample() * bytes(), "workspace")),
                arena.take(checked_mul(chunk, geometry().y_sample() * bytes(), "workspace")),
                arena.take(on_probes_->workspace())};
    }

    /// One probe as an image, and its cotangent.
    [[nodiscard]] int64_t probe_bytes() const
    {
        return (geometry().x_sample() + geometry().y_sample()) * bytes();
    }
    /// The share of the workspace that probes and their cotangents may take.
    static int64_t probe_budget(const ProjectionSetup &setup)
    {
        return setup.workspace_limit * 3 / 4;
    }
    [[nodiscard]] int64_t probes_at_once(const ProjectionSetup &setup) const
    {
        // As few chunks as fit, evened out, and whole groups of columns where
        // that makes no difference.
        constexpr int64_t group = 8;
        const int64_t most = std::max<int64_t>(probe_budget(setup) / probe_bytes(), 1);
        const int64_t even = ceil_div(probes_, ceil_div(probes_, most));
        return std::min(most, round_up(even, group));
    }

    [[nodiscard]] xconv_contraction choose(const ProjectionSetup &setup) const
    {
        const auto r = static_cast<double>(probes_);
        const auto x = static_cast<double>(geometry().x_sample());
        const auto y = static_cast<double>(geometry().y_sample());
        const auto batch = static_cast<double>(geometry().batch);
        const double dy_first =
            product_cost(r * batch * y, r * (x + y)) + filter_cost(geometry().with_batch(1)) * r;
        const double x_first = product_cost(r * batch * x, batch * x) + filter_cost(geometry());
        const bool fits = probe_bytes() <= probe_budget(setup);
        return choose_contraction(setup.requested, fits, dy_first, x_first);
    }

    void reconstruct(const Backend &on, uint64_t seed, const void *numbers,
                     const XHatPart &part) const override
    {
        const ConstMatrix x_bar{at(numbers, part.first * probes_), part.count, probes_, probes_};
        const int64_t stride = geometry().in_channels * part.length;
        for_each_run(geometry(), part, 0, geometry().in_channels,
                     [&](int64_t row, void *x_hat, int64_t length) {
                         on.expand(geometry().dtype, probes(seed, row, 0), x_bar,
                                   {x_hat, part.count, length, stride});
                     });
    }

    void contract_dy_first(const Backend &on, uint64_t seed, const void *numbers, const void *dy,
                           void *sum, void *workspace) const override
    {
        const int64_t x = geometry().x_sample();
        const int64_t y = geometry().y_sample();
        Arena arena(workspace);
        const Pieces pieces = take(arena);
        on_probes_->run(
            on, false,
            [&](int64_t first, int64_t count) {
                on.draw(geometry().dtype, probes(seed, 0, first), {pieces.z, count, x, x});
                on.combine(geometry().dtype, {at(numbers, first), geometry().batch, count, probes_},
                           {dy, geometry().batch, y, y}, {pieces.l, count, y, y});
                return std::pair<const void *, const void *>{pieces.z, pieces.l};
            },
            sum, pieces.filter);
    }

    [[nodiscard]] int64_t dy_first_workspace() const override
    {
        Arena arena(nullptr);
        take(arena);
        return arena.used();
    }

    [[nodiscard]] std::string describe_dy_first() const override
    {
        return fmt::format("{} probes at a time, {}", on_probes_->chunk(), on_probes_->describe());
    }

    int64_t probes_;
    int64_t sketch_workspace_;
    std::optional<ChunkedFilter> on_probes_; // for dy first
};

} // namespace

std::unique_ptr<Projection> make_dense(const ProjectionSetup &setup)
{
    return std::make_unique<Dense>(setup);
}

} // namespace xconv
