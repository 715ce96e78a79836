// independent: the paper's per-channel probing. Every channel is probed by the
// same z of N rows; the sketch is x-bar = x z for each channel, B x Ci x r, and
// channels do not disturb each other.
//   dy first:  V[b,co] = wgrad(z as r channels, dy[b,co]), then
//              dw[co,ci,k] = sum over b, j of x-bar[b,ci,j] V[b,co,j,k] / r
//   x first:   x-hat = x-bar zᵀ in chunks of samples, dw = wgrad(x-hat, dy) / r
#include <optional>

#include "cost.hpp"
#include "schemes/chunked_filter.hpp"
#include "schemes/two_orders.hpp"
#include "workspace.hpp"

namespace xconv {

namespace {

class Independent final : public TwoOrders {
  public:
    explicit Independent(const ProjectionSetup &setup)
        : TwoOrders(setup), probes_(setup.probes),
          sketch_workspace_(project_workspace(setup.backend,
                                              geometry().batch * geometry().in_channels,
                                              geometry().in_points(), probes_))
    {
        ProjectionSetup within = setup; // what the sum leaves
        within.workspace_limit = std::max<int64_t>(
            setup.workspace_limit - checked_mul(geometry().w_count(), bytes(), "workspace"), 1);
        if (prepare(setup, choose(within))) {
            prepare_dy_first(within);
        }
    }

    [[nodiscard]] int64_t numbers_per_sample() const override
    {
        return geometry().in_channels * probes_;
    }
    [[nodiscard]] Mixing mixing() const override
    {
        return {geometry().in_channels, {{0, 1, 0, probes_}}};
    }
    [[nodiscard]] int64_t sketch_workspace() const override { return sketch_workspace_; }
    [[nodiscard]] double scale() const override { return 1.0 / static_cast<double>(probes_); }

    void sketch(const Backend &on, uint64_t seed, const void *x, void *numbers, void *means,
                void *workspace) const override
    {
        const int64_t rows = geometry().batch * geometry().in_channels;
        const int64_t length = geometry().in_points();
        project(on, probes(seed, 0, 0), {x, rows, length, length},
                {numbers, rows, probes_, probes_}, {means, rows, 1, 1}, workspace);
    }

  private:
    struct Pieces {
        void *z;          // probes as channels of one image [r][N]
        void *v;          // [samples][Co][r][K]
        void *v_turned;   // [samples][r][Co][K]
        void *x_turned;   // [samples][r][Ci]
        void *dy_widened; // samples of dy as numbers, where they are 16 bits wide
        void *sum_turned; // [groups][Ci/g][Co/g][K]
        void *filter;
    };

    /// Numbers of V for one sample: Co * r * K.
    [[nodiscard]] int64_t v_sample() const
    {
        return checked_mul(geometry().out_channels * geometry().kernel_points(), probes_,
                           "workspace");
    }

    Pieces take(Arena &arena) const
    {
        const int64_t samples = undrawn_ ? undrawn_->chunk() : drawn_->chunk();
        const int64_t v = checked_mul(samples, v_sample() * bytes(), "workspace");
        const int64_t z = checked_mul(probes_, geometry().in_points() * bytes(), "workspace");
        return {arena.take(drawn_ ? z : 0),
                arena.take(v),
                arena.take(v),
                arena.take(samples * numbers_per_sample() * bytes()),
                arena.take(samples * widened_sample() * bytes()),
                arena.take(geometry().w_count() * bytes()),
                arena.take(undrawn_ ? undrawn_->workspace() : drawn_->workspace())};
    }

    void prepare_dy_first(const ProjectionSetup &setup)
    {
        const int64_t one = (2 * v_sample() + numbers_per_sample() + widened_sample()) * bytes();
        const int64_t batch = geometry().batch;
        const int64_t most = std::clamp<int64_t>(setup.workspace_limit / 4 / one, 1, batch);
        const int64_t limit = setup.workspace_limit / 2;
        undrawn_.emplace(geometry(), batch, even_part(batch, most), [&](const ConvGeometry &part) {
            return setup.backend.probe_filter(probe_geometry(part.batch), setup.distribution,
                                              limit);
        });
        if (!undrawn_->complete()) {
            undrawn_.reset();
            drawn_.emplace(
                geometry(), batch, even_part(batch, std::min(most, cached_samples(setup.backend))),
                [&](const ConvGeometry &part) {
                    return setup.backend.backward_filter(probe_geometry(part.batch), limit);
                });
        }
    }

    /// Samples of dy that stay in the cache from one step to the next; but more where z and
    /// the sum, which are read again for each chunk, would be more than a trifle beside them.
    [[nodiscard]] int64_t cached_samples(const Backend &backend) const
    {
        const int64_t z = checked_mul(probes_, geometry().in_points(), "probes");
        const int64_t read_again = std::max(geometry().w_count(), z);
        const int64_t least = checked_mul(4 * bytes(), read_again, "workspace");
        const int64_t sample = geometry().y_sample() * bytes();
        return std::max<int64_t>(std::max(backend.cached_bytes(), least) / sample, 1);
    }

    /// Sums of dy for one sample: Co * K.
    [[nodiscard]] int64_t ones_sample() const
    {
        return geometry().out_channels * geometry().kernel_points();
    }
    [[nodiscard]] bool widens_dy() const { return compute() != geometry().dtype; }
    [[nodiscard]] int64_t widened_sample() const { return widens_dy() ? geometry().y_sample() : 0; }
    /// Samples [first, first + count) of dy as numbers.
    const void *dy_part(const Backend &on, const Pieces &pieces, const void *dy, int64_t first,
                        int64_t count) const
    {
        const int64_t y = geometry().y_sample();
        const void *part = at_element(dy, first * y);
        if (!widens_dy()) {
            return part;
        }
        on.convert(geometry().dtype, {part, count, y, y}, Runs::one(y), compute(),
                   {pieces.dy_widened, count, y, y});
        return pieces.dy_widened;
    }

    /// Sums of samples [first, first + count) of dy, where `ones` are wanted.
    void sum_part(const Backend &on, const void *dy, int64_t first, int64_t count, void *ones) const
    {
        if (ones != nullptr) {
            on.filter_of_ones(geometry().with_batch(count),
                              at_element(dy, first * geometry().y_sample()),
                              at(ones, first * ones_sample()));
        }
    }

    /// All output channels of all samples against r input channels: one image.
    [[nodiscard]] ConvGeometry probe_geometry(int64_t samples) const
    {
        return geometry().with_numbers().with_channels(
            1, probes_, checked_mul(samples, geometry().out_channels, "batch * out_channels"));
    }
    [[nodiscard]] Order choose(const ProjectionSetup &setup) const
    {
        const auto r = static_cast<double>(probes_);
        const auto x = static_cast<double>(geometry().x_count());
        const double v = static_cast<double>(geometry().batch) *
                         static_cast<double>(geometry().out_channels) *
                         static_cast<double>(geometry().kernel_points()) * r;
        const ProbeCosts costs = setup.backend.probe_costs(probe_geometry(1), setup.distribution);
        const double dy_first =
            probe_filter_cost(probe_geometry(geometry().batch), costs) +
            product_cost(v * static_cast<double>(geometry().in_per_group()), 2 * v);
        const double points = static_cast<double>(geometry().in_points());
        const double x_first =
            probe_product_cost(r * x, x, r * points, costs) + filter_cost(geometry());
        const bool fits = (2 * v_sample() + probes_ * geometry().in_points()) * bytes() <=
                          setup.workspace_limit / 2;
        return choose_order(setup.requested, fits, dy_first, x_first);
    }

    void reconstruct(const Backend &on, uint64_t seed, const KeptNumbers &numbers,
                     const XHatPart &part) const override
    {
        const int64_t rows = part.count * geometry().in_channels;
        expand(on, probes(seed, part.offset, 0), Runs::one(part.length),
               {at(numbers.data, part.first * numbers_per_sample()), rows, probes_, probes_},
               numbers, part.first * geometry().in_channels, 1,
               {part.x_hat, rows, part.length, part.length});
    }

    void contract_dy_first(const Backend &on, uint64_t seed, const void *numbers, const void *dy,
                           void *sum, void *ones, void *workspace) const override
    {
        Arena arena(workspace);
        const Pieces pieces = take(arena);
        const Probes z = probes(seed, 0, 0);
        if (undrawn_) {
            filter_undrawn(on, {z, 0, 1, 0}, numbers, dy, ones, pieces);
        }
        else {
            filter_drawn(on, z, numbers, dy, ones, pieces);
        }
        on.transpose(compute(), pieces.sum_turned, geometry().groups, geometry().in_per_group(),
                     geometry().out_per_group(), geometry().kernel_points(), false, sum);
    }

    void filter_drawn(const Backend &on, const Probes &z, const void *numbers, const void *dy,
                      void *ones, const Pieces &pieces) const
    {
        const int64_t n = geometry().in_points();
        on.draw(compute(), z, Runs::one(n), {pieces.z, probes_, n, n});
        drawn_->for_each([&](const FilterPass &pass, int64_t first, int64_t count) {
            sum_part(on, dy, first, count, ones);
            pass.run(on, pieces.z, dy_part(on, pieces, dy, first, count), false, pieces.v,
                     pieces.filter);
            contract(on, pieces, numbers, first, count);
        });
    }

    void filter_undrawn(const Backend &on, const ProbeImages &z, const void *numbers,
                        const void *dy, void *ones, const Pieces &pieces) const
    {
        undrawn_->for_each([&](const ProbeFilterPass &pass, int64_t first, int64_t count) {
            const void *part = dy_part(on, pieces, dy, first, count);
            if (ones != nullptr && pass.sums_ones()) {
                pass.run_and_sum(on, z, part, false, pieces.v, at(ones, first * ones_sample()),
                                 pieces.filter);
            }
            else {
                sum_part(on, dy, first, count, ones);
                pass.run(on, z, part, false, pieces.v, pieces.filter);
            }
            contract(on, pieces, numbers, first, count);
        });
    }

    [[nodiscard]] int64_t dy_first_workspace() const override
    {
        Arena arena(nullptr);
        take(arena);
        return arena.used();
    }

    [[nodiscard]] std::string describe_dy_first() const override
    {
        return undrawn_
                   ? fmt::format("{} samples at a time, {}", undrawn_->chunk(),
                                 undrawn_->describe())
                   : fmt::format("{} samples at a time, {}", drawn_->chunk(), drawn_->describe());
    }

    /// sum_turned (+)= x_turnedᵀ v_turned, group by group, over (sample, probe), for
    /// samples [first, first + count), of which v is ready.
    void contract(const Backend &on, const Pieces &pieces, const void *numbers, int64_t first,
                  int64_t count) const
    {
        const int64_t depth = count * probes_;
        const int64_t ci = geometry().in_per_group();
        const int64_t k = geometry().kernel_points();
        const int64_t columns = geometry().out_per_group() * k;
        on.transpose(compute(), pieces.v, count, geometry().out_channels, probes_, k, false,
                     pieces.v_turned);
        on.transpose(compute(), at(numbers, first * numbers_per_sample()), count,
                     geometry().in_channels, probes_, 1, false, pieces.x_turned);
        for (int64_t g = 0; g < geometry().groups; ++g) {
            const ConstMatrix x{at(pieces.x_turned, g * ci), depth, ci, geometry().in_channels};
            const ConstMatrix v{at(pieces.v_turned, g * columns), depth, columns,
                                geometry().groups * columns};
            on.multiply(compute(), 1, {x, true}, {v, false}, first > 0,
                        {at(pieces.sum_turned, g * ci * columns), ci, columns, columns});
        }
    }

    int64_t probes_;
    int64_t sketch_workspace_;
    // For dy first, one of these: z is the same for all samples.
    std::optional<ChunkedFilter<ProbeFilterPass>> undrawn_;
    std::optional<ChunkedFilter<FilterPass>> drawn_;
};

} // namespace

std::unique_ptr<Projection> make_independent(const ProjectionSetup &setup)
{
    return std::make_unique<Independent>(setup);
}

} // namespace xconv
