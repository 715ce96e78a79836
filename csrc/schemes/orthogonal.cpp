// orthogonal: the paper's block-orthogonal probing, with the columns of z dealt
// out to the channels. With r >= Ci every channel has n = floor(r / Ci) columns
// of its own, and no channel disturbs another; with r < Ci each column serves a
// run of neighbouring channels. All other entries of z are zero, and neither pass
// touches them.
//   dy first:  L = x-barᵀ dy, then each block's dw = wgrad(its z, its L) / n
//   x first:   x-hat block by block in chunks of samples, dw = wgrad(x-hat, dy) / n
#include <map>
#include <optional>
#include <vector>

#include "cost.hpp"
#include "schemes/two_orders.hpp"

namespace xconv {

namespace {

/// Columns per channel when r >= Ci, else 1.
int64_t columns_per_channel(int64_t channels, int64_t probes)
{
    return std::max<int64_t>(probes / channels, 1);
}

/// The blocks in order of their columns.
std::vector<ProbeBlock> deal_columns(int64_t channels, int64_t probes)
{
    std::vector<ProbeBlock> blocks;
    if (probes >= channels) {
        const int64_t n = columns_per_channel(channels, probes);
        for (int64_t c = 0; c < channels; ++c) {
            blocks.push_back({c, 1, c * n, n});
        }
        return blocks;
    }
    // Column j serves the channels c with floor(c * r / Ci) = j.
    for (int64_t j = 0; j < probes; ++j) {
        const int64_t begin = ceil_div(checked_mul(j, channels, "probes"), probes);
        const int64_t end = ceil_div(checked_mul(j + 1, channels, "probes"), probes);
        blocks.push_back({begin, end - begin, j, 1});
    }
    return blocks;
}

class Orthogonal final : public TwoOrders {
  public:
    explicit Orthogonal(const ProjectionSetup &setup)
        : TwoOrders(setup), blocks_(deal_columns(geometry().in_channels, setup.probes)),
          per_channel_(columns_per_channel(geometry().in_channels, setup.probes)),
          columns_(blocks_.back().column + blocks_.back().columns)
    {
        for (const ProbeBlock &block : blocks_) {
            sketch_workspace_ =
                std::max(sketch_workspace_,
                         project_workspace(setup.backend, geometry().batch,
                                           block.channels * geometry().in_points(), block.columns));
        }
        if (prepare(setup, choose(setup))) {
            prepare_filters(setup);
        }
    }

    [[nodiscard]] int64_t numbers_per_sample() const override { return columns_; }
    [[nodiscard]] Mixing mixing() const override { return {1, blocks_}; }
    [[nodiscard]] int64_t sketch_workspace() const override { return sketch_workspace_; }
    [[nodiscard]] double scale() const override { return 1.0 / static_cast<double>(per_channel_); }

    void sketch(const Backend &on, uint64_t seed, const void *x, void *numbers, void *means,
                void *workspace) const override
    {
        const int64_t batch = geometry().batch;
        const int64_t points = geometry().in_points();
        for (const ProbeBlock &block : blocks_) {
            project(on, probes(seed, block.channel * points, block.column),
                    {at_element(x, block.channel * points), batch, block.channels * points,
                     geometry().x_sample()},
                    {at(numbers, block.column), batch, block.columns, columns_},
                    {means == nullptr ? nullptr : at(means, block.channel), batch, block.channels,
                     geometry().in_channels},
                    workspace);
        }
    }

  private:
    struct Pieces {
        void *l;  // cotangents of some columns [columns_at_once][Co][M]
        void *z;  // probes of one block [channels][N] or [columns][N]
        void *dw; // gradient of one block [Co/g][channels][K]
        void *filter;
    };
    /// Shape of a block's filter pass: images (columns) and input channels.
    using Shape = std::pair<int64_t, int64_t>;

    [[nodiscard]] Order choose(const ProjectionSetup &setup) const
    {
        const auto batch = static_cast<double>(geometry().batch);
        const auto x = static_cast<double>(geometry().x_sample());
        const auto y = static_cast<double>(geometry().y_sample());
        const auto columns = static_cast<double>(columns_);
        const ProbeCosts costs = setup.backend.probe_costs(geometry(), setup.distribution);
        const double dy_first =
            probe_product_cost(columns * batch * y, columns * y, 0, costs) +
            static_cast<double>(blocks_.size()) *
                filter_cost(geometry().with_channels(blocks_[0].columns, blocks_[0].channels,
                                                     geometry().out_per_group()));
        const double x_first =
            probe_product_cost(static_cast<double>(per_channel_) * batch * x, batch * x,
                               static_cast<double>(per_channel_) * x, costs) +
            filter_cost(geometry());
        const bool fits =
            blocks_[0].columns * geometry().y_sample() * bytes() <= setup.workspace_limit / 2;
        return choose_order(setup.requested, fits, dy_first, x_first);
    }

    /// The part of a block that lies in one group of the convolution: outputs of
    /// a group see its own input channels only.
    template <class Visit> void for_each_part(const ProbeBlock &block, Visit &&visit) const
    {
        const int64_t per_group = geometry().in_per_group();
        int64_t from = block.channel;
        const int64_t end = block.channel + block.channels;
        while (from < end) {
            const int64_t group = from / per_group;
            const int64_t to = std::min(end, (group + 1) * per_group);
            visit(group, from, to - from);
            from = to;
        }
    }

    /// Without groups the columns of a block are one batch; with groups their
    /// cotangents lie apart, and they go one by one.
    [[nodiscard]] int64_t images(const ProbeBlock &block) const
    {
        return geometry().groups == 1 ? block.columns : 1;
    }

    void prepare_filters(const ProjectionSetup &setup)
    {
        const int64_t one = geometry().y_sample() * bytes();
        const int64_t block_columns = blocks_[0].columns;
        columns_at_once_ =
            std::clamp(setup.workspace_limit / 2 / one / block_columns * block_columns,
                       block_columns, columns_);
        for (const ProbeBlock &block : blocks_) {
            for_each_part(block, [&](int64_t, int64_t, int64_t channels) {
                auto &filter = filters_[{images(block), channels}];
                if (!filter) {
                    filter = setup.backend.backward_filter(
                        geometry().with_numbers().with_channels(images(block), channels,
                                                                geometry().out_per_group()),
                        setup.workspace_limit / 4);
                }
            });
        }
    }

    Pieces take(Arena &arena) const
    {
        int64_t z = 0;
        int64_t channels = 0;
        int64_t filter = 0;
        for (const auto &[shape, pass] : filters_) {
            z = std::max(
                z, checked_mul(shape.first * shape.second, geometry().in_points(), "workspace"));
            channels = std::max(channels, shape.second);
            filter = std::max(filter, pass->workspace());
        }
        const int64_t dw = geometry().out_per_group() * channels * geometry().kernel_points();
        return {
            arena.take(checked_mul(columns_at_once_, geometry().y_sample() * bytes(), "workspace")),
            arena.take(z * bytes()), arena.take(dw * bytes()), arena.take(filter)};
    }

    void reconstruct(const Backend &on, uint64_t seed, const KeptNumbers &numbers,
                     const XHatPart &part) const override
    {
        const int64_t points = geometry().in_points();
        const int64_t channels = geometry().in_channels;
        for (const ProbeBlock &block : blocks_) {
            const Runs rows{block.channels, part.length, points};
            expand(on, probes(seed, block.channel * points + part.offset, block.column), rows,
                   {at(numbers.data, part.first * columns_ + block.column), part.count,
                    block.columns, columns_},
                   numbers, part.first * channels + block.channel, channels,
                   {at(part.x_hat, block.channel * part.length), part.count, rows.total(),
                    channels * part.length});
        }
    }

    void contract_dy_first(const Backend &on, uint64_t seed, const void *numbers, const void *dy,
                           void *sum, void *ones, void *workspace) const override
    {
        const int64_t y = geometry().y_sample();
        Arena arena(workspace);
        const Pieces pieces = take(arena);
        auto block = blocks_.begin();
        for (int64_t first = 0; first < columns_; first += columns_at_once_) {
            const int64_t count = std::min(columns_at_once_, columns_ - first);
            combine(on, {0, geometry().out_points()},
                    {at(numbers, first), geometry().batch, count, columns_}, dy,
                    {pieces.l, count, y, y}, first == 0 ? ones : nullptr);
            for (; block != blocks_.end() && block->column < first + count; ++block) {
                filter_block(on, seed, *block, at(pieces.l, (block->column - first) * y), pieces,
                             sum);
            }
        }
    }

    [[nodiscard]] int64_t dy_first_workspace() const override
    {
        Arena arena(nullptr);
        take(arena);
        return arena.used();
    }

    [[nodiscard]] std::string describe_dy_first() const override
    {
        return fmt::format("{} blocks, {} probes at a time, {}", blocks_.size(), columns_at_once_,
                           filters_.begin()->second->describe());
    }

    /// sum[:, the block's channels, :] = wgrad(z, l).
    void filter_block(const Backend &on, uint64_t seed, const ProbeBlock &block, const void *l,
                      const Pieces &pieces, void *sum) const
    {
        const int64_t k = geometry().kernel_points();
        const int64_t rows = geometry().out_per_group();
        const int64_t batch = images(block);
        for_each_part(block, [&](int64_t group, int64_t channel, int64_t channels) {
            const int64_t length = channels * geometry().in_points();
            const FilterPass &pass = *filters_.at({batch, channels});
            for (int64_t column = 0; column < block.columns; column += batch) {
                on.draw(compute(),
                        probes(seed, channel * geometry().in_points(), block.column + column),
                        Runs::one(length), {pieces.z, batch, length, length});
                pass.run(
                    on, pieces.z,
                    at(l, column * geometry().y_sample() + group * rows * geometry().out_points()),
                    column > 0, pieces.dw, pieces.filter);
            }
            const int64_t per_group = geometry().in_per_group();
            const int64_t target = group * rows * per_group + channel % per_group;
            on.convert(compute(), {pieces.dw, rows, channels * k, channels * k},
                       Runs::one(channels * k), compute(),
                       {at(sum, target * k), rows, channels * k, per_group * k});
        });
    }

    std::vector<ProbeBlock> blocks_;
    int64_t per_channel_;
    int64_t columns_;
    int64_t sketch_workspace_ = 0;
    // for dy first:
    int64_t columns_at_once_ = 0;
    std::map<Shape, std::unique_ptr<FilterPass>> filters_;
};

} // namespace

std::unique_ptr<Projection> make_orthogonal(const ProjectionSetup &setup)
{
    return std::make_unique<Orthogonal>(setup);
}

} // namespace xconv
