#include "schemes/deflation.hpp"

#include <algorithm>

#include "workspace.hpp"

namespace xconv {

Deflation::Deflation(const ConvGeometry &geometry, Distribution distribution,
                     const Projection &projection, int64_t workspace_limit)
    : geometry_(geometry), distribution_(distribution), mixing_(projection.mixing()),
      numbers_per_row_(projection.numbers_per_sample() / mixing_.rows), scale_(projection.scale()),
      rebuilds_x_(projection.contraction() == XCONV_X_FIRST)
{
    if (!rebuilds_x_) {
        const int64_t sample = checked_mul(ones_sample(), bytes(), "workspace");
        samples_ = std::clamp<int64_t>(workspace_limit / 8 / sample, 1, geometry_.batch);
    }
}

int64_t Deflation::probe_means_bytes() const
{
    int64_t most = 0;
    for (const ProbeBlock &block : mixing_.blocks) {
        most = std::max(most, checked_mul(block.channels, block.columns * bytes(), "workspace"));
    }
    return most;
}

int64_t Deflation::ones_bytes() const
{
    return samples_ == geometry_.batch ? samples_ * ones_sample() * bytes() : 0;
}

Deflation::Pieces Deflation::take(Arena &arena) const
{
    const int64_t ones = ones_bytes() > 0 ? 0 : samples_ * ones_sample() * bytes();
    return {arena.take(ones), arena.take(geometry_.w_count() * bytes())};
}

int64_t Deflation::sketch_workspace() const { return round_up(probe_means_bytes(), kAlignment); }

int64_t Deflation::filter_workspace() const
{
    // inflate() is done before filter() begins.
    Arena arena(nullptr);
    if (!rebuilds_x_) {
        take(arena);
    }
    return std::max(arena.used(), sketch_workspace());
}

Matrix Deflation::means_of(const ProbeBlock &block, void *means) const
{
    return {at(means, block.channel), rows(), block.channels, geometry_.in_channels / mixing_.rows};
}
ConstMatrix Deflation::means_of(const ProbeBlock &block, const void *means) const
{
    return {at(means, block.channel), rows(), block.channels, geometry_.in_channels / mixing_.rows};
}
Matrix Deflation::numbers_of(const ProbeBlock &block, void *numbers) const
{
    return {at(numbers, block.column), rows(), block.columns, numbers_per_row_};
}
ConstMatrix Deflation::numbers_of(const ProbeBlock &block, const void *numbers) const
{
    return {at(numbers, block.column), rows(), block.columns, numbers_per_row_};
}

template <class F>
void Deflation::for_each_block(const Backend &on, uint64_t seed, void *workspace, F &&f) const
{
    const int64_t n = geometry_.in_points();
    for (const ProbeBlock &block : mixing_.blocks) {
        const Matrix probe_means{workspace, block.channels, block.columns, block.columns};
        on.probe_means(compute(), {seed, distribution_, block.channel * n, block.column},
                       {block.channels, n, n}, probe_means);
        f(block, probe_means);
    }
}

void Deflation::deflate(const Backend &on, uint64_t seed, const void *means, void *numbers,
                        void *workspace) const
{
    for_each_block(on, seed, workspace, [&](const ProbeBlock &block, const Matrix &probe_means) {
        on.multiply(compute(), -static_cast<double>(geometry_.in_points()),
                    {means_of(block, means)}, {probe_means}, true, numbers_of(block, numbers));
    });
}

void Deflation::add_means(const Backend &on, const void *means, const void *ones, int64_t first,
                          int64_t count, void *turned) const
{
    const int64_t ci = geometry_.in_per_group();
    const int64_t columns = geometry_.out_per_group() * geometry_.kernel_points();
    for (int64_t g = 0; g < geometry_.groups; ++g) {
        const ConstMatrix constants{at(means, first * geometry_.in_channels + g * ci), count, ci,
                                    geometry_.in_channels};
        const ConstMatrix sums{at(ones, g * columns), count, columns, ones_sample()};
        on.multiply(compute(), 1 / scale_, {constants, true}, {sums, false}, first > 0,
                    {at(turned, g * ci * columns), ci, columns, columns});
    }
}

void Deflation::inflate(const Backend &on, uint64_t seed, void *means, const void *numbers,
                        void *workspace) const
{
    for_each_block(on, seed, workspace, [&](const ProbeBlock &block, const Matrix &probe_means) {
        on.multiply(compute(), -scale_, {numbers_of(block, numbers)}, {probe_means, true}, true,
                    means_of(block, means));
    });
}

void Deflation::filter(const Backend &on, const void *means, const void *dy, const void *ones,
                       void *sum, void *workspace) const
{
    Arena arena(workspace);
    const Pieces pieces = take(arena);
    if (ones != nullptr) {
        add_means(on, means, ones, 0, geometry_.batch, pieces.turned);
    }
    for (int64_t first = 0; ones == nullptr && first < geometry_.batch; first += samples_) {
        const int64_t count = std::min(samples_, geometry_.batch - first);
        on.filter_of_ones(geometry_.with_batch(count),
                          at_element(geometry_.dtype, dy, first * geometry_.y_sample()),
                          pieces.ones);
        add_means(on, means, pieces.ones, first, count, pieces.turned);
    }
    on.transpose(compute(), pieces.turned, geometry_.groups, geometry_.in_per_group(),
                 geometry_.out_per_group(), geometry_.kernel_points(), true, sum);
}

} // namespace xconv
