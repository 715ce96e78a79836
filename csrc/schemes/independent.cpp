// independent: the paper's per-channel probing. Every channel is probed by the
// same z of N rows; the sketch is x-bar = x z for each channel, B x Ci x r, and
// channels do not disturb each other.
//   dy first:  V[b,co] = wgrad(z as r channels, dy[b,co]), then
//              dw[co,ci,k] = sum over b, j of x-bar[b,ci,j] V[b,co,j,k] / r
//   x first:   x-hat = x-bar zᵀ in chunks of samples, dw = wgrad(x-hat, dy) / r
#include <optional>

#include "cost.hpp"
#include "schemes/x_first.hpp"

namespace xconv {

namespace {

class Independent final : public Projection {
  public:
    explicit Independent(const ProjectionSetup &setup)
        : geometry_(setup.geometry), distribution_(setup.distribution), probes_(setup.probes),
          sketch_workspace_(setup.backend.project_workspace(geometry_.dtype,
                                                            geometry_.batch * geometry_.in_channels,
                                                            geometry_.in_points(), probes_))
    {
        if (choose(setup) == XCONV_X_FIRST) {
            x_first_.emplace(setup);
            return;
        }
        samples_ = samples_at_once(setup);
        whole_ = probe_filter(setup, samples_);
        if (geometry_.batch % samples_ != 0) {
            rest_ = probe_filter(setup, geometry_.batch % samples_);
        }
    }

    [[nodiscard]] int64_t numbers_per_sample() const override
    {
        return geometry_.in_channels * probes_;
    }
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
        const int64_t rows = geometry_.batch * geometry_.in_channels;
        const int64_t length = geometry_.in_points();
        on.project(geometry_.dtype, {seed, distribution_, 0, 0}, {x, rows, length, length},
                   {numbers, rows, probes_, probes_}, workspace);
    }

    void filter(const Backend &on, uint64_t seed, const void *numbers, const void *dy, void *sum,
                void *workspace) const override
    {
        if (x_first_) {
            reconstruct(on, seed, numbers, dy, sum, workspace);
        }
        else {
            probe_dy(on, seed, numbers, dy, sum, workspace);
        }
    }

    [[nodiscard]] std::string describe() const override
    {
        return x_first_ ? x_first_->describe()
                        : fmt::format("dy first, {} samples at a time, {}", samples_,
                                      whole_->describe());
    }

  private:
    struct Pieces {
        void *z;          // probes as channels of one image [r][N]
        void *v;          // [samples][Co][r][K]
        void *v_turned;   // [samples][r][Co][K]
        void *x_turned;   // [samples][r][Ci]
        void *sum_turned; // [groups][Ci/g][Co/g][K]
        void *filter;
    };

    [[nodiscard]] int64_t bytes() const { return element_bytes(geometry_.dtype); }

    /// Numbers of V for one sample: Co * r * K.
    [[nodiscard]] int64_t v_sample() const
    {
        return checked_mul(geometry_.out_channels * geometry_.kernel_points(), probes_,
                           "workspace");
    }

    [[nodiscard]] Pieces take(Arena &arena) const
    {
        const int64_t v = checked_mul(samples_, v_sample() * bytes(), "workspace");
        return {arena.take(checked_mul(probes_, geometry_.in_points() * bytes(), "workspace")),
                arena.take(v),
                arena.take(v),
                arena.take(samples_ * numbers_per_sample() * bytes()),
                arena.take(geometry_.w_count() * bytes()),
                arena.take(std::max(whole_->workspace(), rest_ ? rest_->workspace() : 0))};
    }

    [[nodiscard]] int64_t samples_at_once(const ProjectionSetup &setup) const
    {
        const int64_t one = (2 * v_sample() + numbers_per_sample()) * bytes();
        return std::clamp<int64_t>(setup.workspace_limit / 4 / one, 1, geometry_.batch);
    }

    /// All output channels of all samples against r input channels: one image.
    [[nodiscard]] ConvGeometry probe_geometry(int64_t samples) const
    {
        return geometry_.with_channels(
            1, probes_, checked_mul(samples, geometry_.out_channels, "batch * out_channels"));
    }
    [[nodiscard]] std::unique_ptr<FilterPass> probe_filter(const ProjectionSetup &setup,
                                                           int64_t samples) const
    {
        return setup.backend.backward_filter(probe_geometry(samples), setup.probe_values(),
                                             setup.workspace_limit / 2);
    }

    [[nodiscard]] xconv_contraction choose(const ProjectionSetup &setup) const
    {
        const auto r = static_cast<double>(probes_);
        const auto x = static_cast<double>(geometry_.x_count());
        const double v = static_cast<double>(geometry_.batch) *
                         static_cast<double>(geometry_.out_channels) *
                         static_cast<double>(geometry_.kernel_points()) * r;
        const double dy_first =
            filter_cost(probe_geometry(geometry_.batch)) +
            product_cost(v * static_cast<double>(geometry_.in_per_group()), 2 * v);
        const double x_first = product_cost(r * x, x) + filter_cost(geometry_);
        const bool fits = (2 * v_sample() + probes_ * geometry_.in_points()) * bytes() <=
                          setup.workspace_limit / 2;
        return choose_contraction(setup.requested, fits, dy_first, x_first);
    }

    void reconstruct(const Backend &on, uint64_t seed, const void *numbers, const void *dy,
                     void *sum, void *workspace) const
    {
        const auto *kept = static_cast<const std::byte *>(numbers);
        x_first_->run(on, dy, sum, workspace, [&](const XHatPart &part) {
            const int64_t rows = part.count * geometry_.in_channels;
            on.expand(geometry_.dtype, {seed, distribution_, part.offset, 0},
                      {kept + part.first * numbers_per_sample() * bytes(), rows, probes_, probes_},
                      {part.x_hat, rows, part.length, part.length});
        });
    }

    void probe_dy(const Backend &on, uint64_t seed, const void *numbers, const void *dy, void *sum,
                  void *workspace) const
    {
        const Dtype dtype = geometry_.dtype;
        const int64_t k = geometry_.kernel_points();
        Arena arena(workspace);
        const Pieces pieces = take(arena);
        const int64_t points = geometry_.in_points();
        on.draw(dtype, {seed, distribution_, 0, 0}, {pieces.z, probes_, points, points});
        for (int64_t first = 0; first < geometry_.batch; first += samples_) {
            const int64_t count = std::min(samples_, geometry_.batch - first);
            const auto *dy_chunk =
                static_cast<const std::byte *>(dy) + first * geometry_.y_sample() * bytes();
            const auto *kept =
                static_cast<const std::byte *>(numbers) + first * numbers_per_sample() * bytes();
            const FilterPass &pass = count == samples_ ? *whole_ : *rest_;
            pass.run(on, pieces.z, dy_chunk, false, pieces.v, pieces.filter);
            on.transpose(dtype, pieces.v, count, geometry_.out_channels, probes_, k,
                         pieces.v_turned);
            on.transpose(dtype, kept, count, geometry_.in_channels, probes_, 1, pieces.x_turned);
            contract(on, pieces, count, first > 0);
        }
        on.transpose(dtype, pieces.sum_turned, geometry_.groups, geometry_.in_per_group(),
                     geometry_.out_per_group(), k, sum);
    }

    /// sum_turned (+)= x_turnedᵀ v_turned, group by group, over (sample, probe).
    void contract(const Backend &on, const Pieces &pieces, int64_t count, bool accumulate) const
    {
        const int64_t depth = count * probes_;
        const int64_t ci = geometry_.in_per_group();
        const int64_t columns = geometry_.out_per_group() * geometry_.kernel_points();
        for (int64_t g = 0; g < geometry_.groups; ++g) {
            const auto at = [&](void *base, int64_t elements) {
                return static_cast<void *>(static_cast<std::byte *>(base) + elements * bytes());
            };
            on.multiply_at_b(
                geometry_.dtype, {at(pieces.x_turned, g * ci), depth, ci, geometry_.in_channels},
                {at(pieces.v_turned, g * columns), depth, columns, geometry_.groups * columns},
                accumulate, {at(pieces.sum_turned, g * ci * columns), ci, columns, columns});
        }
    }

    ConvGeometry geometry_;
    Distribution distribution_;
    int64_t probes_;
    int64_t sketch_workspace_;
    std::optional<XFirst> x_first_; // or, for dy first:
    int64_t samples_ = 0;
    std::unique_ptr<FilterPass> whole_;
    std::unique_ptr<FilterPass> rest_;
};

} // namespace

std::unique_ptr<Projection> make_independent(const ProjectionSetup &setup)
{
    return std::make_unique<Independent>(setup);
}

} // namespace xconv
