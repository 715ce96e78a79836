// dense: the paper's multi-channel probing. Each probe meets all Ci * N numbers
// of a sample; the sketch is x-bar = x z, B x r.
//   dy first:  L = x-barᵀ dy (r images of Co channels), dw = wgrad(z, L) / r
//   x first:   x-hat = x-bar zᵀ in chunks of samples,   dw = wgrad(x-hat, dy) / r
#include <optional>

#include "cost.hpp"
#include "schemes/dy_first.hpp"
#include "schemes/two_orders.hpp"

namespace xconv {

namespace {

class Dense final : public TwoOrders {
  public:
    explicit Dense(const ProjectionSetup &setup)
        : TwoOrders(setup), probes_(setup.probes),
          sketch_workspace_(
              project_workspace(setup.backend, geometry().batch, geometry().x_sample(), probes_))
    {
        if (prepare(setup, choose(setup))) {
            dy_first_.emplace(setup, probes_);
        }
    }

    [[nodiscard]] int64_t numbers_per_sample() const override { return probes_; }
    [[nodiscard]] Mixing mixing() const override
    {
        return {1, {{0, geometry().in_channels, 0, probes_}}};
    }
    [[nodiscard]] int64_t sketch_workspace() const override { return sketch_workspace_; }
    [[nodiscard]] double scale() const override { return 1.0 / static_cast<double>(probes_); }

    void sketch(const Backend &on, uint64_t seed, const void *x, void *numbers, void *means,
                void *workspace) const override
    {
        const int64_t batch = geometry().batch;
        const int64_t channels = geometry().in_channels;
        const int64_t length = geometry().x_sample();
        project(on, probes(seed, 0, 0), {x, batch, length, length},
                {numbers, batch, probes_, probes_}, {means, batch, channels, channels}, workspace);
    }

  private:
    [[nodiscard]] Order choose(const ProjectionSetup &setup) const
    {
        const auto r = static_cast<double>(probes_);
        const auto x = static_cast<double>(geometry().x_sample());
        const auto y = static_cast<double>(geometry().y_sample());
        const auto batch = static_cast<double>(geometry().batch);
        const ProbeCosts costs = setup.backend.probe_costs(geometry(), setup.distribution);
        const double dy_first = probe_product_cost(r * batch * y, r * (x + y), 0, costs) +
                                probe_filter_cost(geometry().with_batch(1), costs) * r;
        const double x_first =
            probe_product_cost(r * batch * x, batch * x, r * x, costs) + filter_cost(geometry());
        return choose_order(setup.requested, true, dy_first, x_first);
    }

    void reconstruct(const Backend &on, uint64_t seed, const KeptNumbers &numbers,
                     const XHatPart &part) const override
    {
        const int64_t channels = geometry().in_channels;
        const Runs rows{channels, part.length, geometry().in_points()};
        expand(on, probes(seed, part.offset, 0), rows,
               {at(numbers.data, part.first * probes_), part.count, probes_, probes_}, numbers,
               part.first * channels, channels,
               {part.x_hat, part.count, rows.total(), rows.total()});
    }

    void contract_dy_first(const Backend &on, uint64_t seed, const void *numbers, const void *dy,
                           void *sum, void *ones, void *workspace) const override
    {
        dy_first_->run(on, probes(seed, 0, 0), sum, workspace, [&](const ProbePart &part, void *l) {
            const int64_t y = geometry().out_channels * part.y.length();
            combine(on, part.y, {at(numbers, part.first), geometry().batch, part.count, probes_},
                    dy, {l, part.count, y, y}, part.first == 0 ? ones : nullptr);
        });
    }

    [[nodiscard]] int64_t dy_first_workspace() const override { return dy_first_->workspace(); }
    [[nodiscard]] std::string describe_dy_first() const override { return dy_first_->describe(); }

    int64_t probes_;
    int64_t sketch_workspace_;
    std::optional<DyFirst> dy_first_; // when that is the order
};

} // namespace

std::unique_ptr<Projection> make_dense(const ProjectionSetup &setup)
{
    return std::make_unique<Dense>(setup);
}

} // namespace xconv
