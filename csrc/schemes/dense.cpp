// dense: the paper's multi-channel probing. Each probe meets all Ci * N numbers
// of a sample; the sketch is x-bar = x z, B x r.
//   dy first:  L = x-barᵀ dy (r images of Co channels), dw = wgrad(z, L) / r
//   x first:   x-hat = x-bar zᵀ in chunks of samples,   dw = wgrad(x-hat, dy) / r
#include <optional>

#include "cost.hpp"
#include "schemes/x_first.hpp"

namespace xconv {

namespace {

class Dense final : public Projection {
  public:
    explicit Dense(const ProjectionSetup &setup)
        : geometry_(setup.geometry), distribution_(setup.distribution), probes_(setup.probes),
          sketch_workspace_(setup.backend.project_workspace(geometry_.dtype, geometry_.batch,
                                                            geometry_.x_sample(), probes_))
    {
        if (choose(setup) == XCONV_X_FIRST) {
            x_first_.emplace(setup);
        }
        else {
            on_probes_.emplace(setup.backend, geometry_, setup.probe_values(), probes_,
                               probes_at_once(setup), setup.workspace_limit / 4);
        }
    }

    [[nodiscard]] int64_t numbers_per_sample() const override { return probes_; }
    [[nodiscard]] xconv_contraction contraction() const override
    {
        return x_first_ ? XCONV_X_FIRST : XCONV_DY_FIRST;
    }
    [[nodiscard]] int64_t sketch_workspace() const override { return sketch_workspace_; }
    [[nodiscard]] int64_t filter_workspace() const override
    {
        if (x_first_) {
            return x_first_->workspace();
        }
        Arena arena(nullptr);
        static_cast<void>(take(arena));
        return arena.used();
    }
    [[nodiscard]] double scale() const override { return 1.0 / static_cast<double>(probes_); }

    void sketch(const Backend &on, uint64_t seed, const void *x, void *numbers,
                void *workspace) const override
    {
        const int64_t length = geometry_.x_sample();
        on.project(geometry_.dtype, {seed, distribution_, 0, 0},
                   {x, geometry_.batch, length, length},
                   {numbers, geometry_.batch, probes_, probes_}, workspace);
    }

    void filter(const Backend &on, uint64_t seed, const void *numbers, const void *dy, void *sum,
                void *workspace) const override
    {
        if (x_first_) {
            reconstruct(on, seed, numbers, dy, sum, workspace);
        }
        else {
            sketch_dy(on, seed, numbers, dy, sum, workspace);
        }
    }

    [[nodiscard]] std::string describe() const override
    {
        return x_first_ ? x_first_->describe()
                        : fmt::format("dy first, {} probes at a time, {}", on_probes_->chunk(),
                                      on_probes_->describe());
    }

  private:
    struct Pieces {
        void *z; // probes as images [chunk][Ci][N]
        void *l; // their cotangents [chunk][Co][M]
        void *filter;
    };

    [[nodiscard]] int64_t bytes() const { return element_bytes(geometry_.dtype); }

    [[nodiscard]] Pieces take(Arena &arena) const
    {
        const int64_t chunk = on_probes_->chunk();
        return {arena.take(checked_mul(chunk, geometry_.x_sample() * bytes(), "workspace")),
                arena.take(checked_mul(chunk, geometry_.y_sample() * bytes(), "workspace")),
                arena.take(on_probes_->workspace())};
    }

    /// One probe as an image, and its cotangent.
    [[nodiscard]] int64_t probe_bytes() const
    {
        return (geometry_.x_sample() + geometry_.y_sample()) * bytes();
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
        const auto x = static_cast<double>(geometry_.x_sample());
        const auto y = static_cast<double>(geometry_.y_sample());
        const auto batch = static_cast<double>(geometry_.batch);
        const double dy_first =
            product_cost(r * batch * y, r * (x + y)) + filter_cost(geometry_.with_batch(1)) * r;
        const double x_first = product_cost(r * batch * x, batch * x) + filter_cost(geometry_);
        const bool fits = probe_bytes() <= probe_budget(setup);
        return choose_contraction(setup.requested, fits, dy_first, x_first);
    }

    void reconstruct(const Backend &on, uint64_t seed, const void *numbers, const void *dy,
                     void *sum, void *workspace) const
    {
        const auto *kept = static_cast<const std::byte *>(numbers);
        x_first_->run(on, dy, sum, workspace, [&](const XHatPart &part) {
            const ConstMatrix x_bar{kept + part.first * probes_ * bytes(), part.count, probes_,
                                    probes_};
            const int64_t stride = geometry_.in_channels * part.length;
            for_each_run(geometry_, part, 0, geometry_.in_channels,
                         [&](int64_t row, void *x_hat, int64_t length) {
                             on.expand(geometry_.dtype, {seed, distribution_, row, 0}, x_bar,
                                       {x_hat, part.count, length, stride});
                         });
        });
    }

    void sketch_dy(const Backend &on, uint64_t seed, const void *numbers, const void *dy, void *sum,
                   void *workspace) const
    {
        const int64_t x = geometry_.x_sample();
        const int64_t y = geometry_.y_sample();
        const auto *kept = static_cast<const std::byte *>(numbers);
        Arena arena(workspace);
        const Pieces pieces = take(arena);
        on_probes_->run(
            on, false,
            [&](int64_t first, int64_t count) {
                on.draw(geometry_.dtype, {seed, distribution_, 0, first}, {pieces.z, count, x, x});
                on.combine(geometry_.dtype,
                           {kept + first * bytes(), geometry_.batch, count, probes_},
                           {dy, geometry_.batch, y, y}, {pieces.l, count, y, y});
                return std::pair<const void *, const void *>{pieces.z, pieces.l};
            },
            sum, pieces.filter);
    }

    ConvGeometry geometry_;
    Distribution distribution_;
    int64_t probes_;
    int64_t sketch_workspace_;
    std::optional<XFirst> x_first_; // one of the two, by the order chosen
    std::optional<ChunkedFilter> on_probes_;
};

} // namespace

std::unique_ptr<Projection> make_dense(const ProjectionSetup &setup)
{
    return std::make_unique<Dense>(setup);
}

} // namespace xconv
