// Mean deflation: the mean of every channel of every sample is kept apart and
// contracted exactly, and only the rest of x is probed.
//
// With P the projection that takes a channel's mean off, and m the channel means,
//     x = m + P x,    x-hat = m + P z zᵀ P x / r,    E[x-hat] = m + P P x = x.
// P z is never formed. zᵀ P x = zᵀ x - N z-barᵀ m takes the means of z's columns
// over a channel, z-bar, and on the way back P z x-bar = z x-bar - (z-bar x-bar) is
// again a constant in every channel: both corrections join the mean's exact part.
//
// Where x-hat is rebuilt, x first, that constant is added to it. Where it is not, dy
// first, its filter gradient is that of an input of ones times the constant.
#pragma once

#include <cstdint>

#include "schemes/projection.hpp"
#include "workspace.hpp"

namespace xconv {

class Deflation {
  public:
    Deflation(const ConvGeometry &geometry, Distribution distribution, const Projection &projection,
              int64_t workspace_limit);

    [[nodiscard]] int64_t means_per_sample() const { return geometry_.in_channels; }
    [[nodiscard]] int64_t sketch_workspace() const;
    [[nodiscard]] int64_t filter_workspace() const;

    /// Take the part of x's means, [batch][Ci], out of numbers, a sketch of x.
    void deflate(const Backend &on, uint64_t seed, const void *means, void *numbers,
                 void *workspace) const;
    /// Turn the means of x into those of x-hat, of a sketch with these numbers.
    void inflate(const Backend &on, uint64_t seed, void *means, const void *numbers,
                 void *workspace) const;
    /// Whether the projection adds the means to x-hat; then there is no filter() to call.
    [[nodiscard]] bool rebuilds_x() const { return rebuilds_x_; }
    /// Of the filter of ones of the whole batch, which filter() should find; 0 where it is
    /// so large that filter() forms it itself.
    [[nodiscard]] int64_t ones_bytes() const;
    /// sum += the filter gradient of the means of x-hat, divided by the projection's scale.
    void filter(const Backend &on, const void *means, const void *dy, const void *ones, void *sum,
                void *workspace) const;

  private:
    struct Pieces {
        void *ones;   // of some samples [samples][Co][K]
        void *turned; // [groups][Ci/g][Co/g][K]
    };
    Pieces take(Arena &arena) const;
    /// turned (+)= the filter gradient of samples [first, first + count) of the means;
    /// ones is that of these samples.
    void add_means(const Backend &on, const void *means, const void *ones, int64_t first,
                   int64_t count, void *turned) const;

    /// Call f(block, probe means [channels][columns]) for every block of probes.
    template <class F>
    void for_each_block(const Backend &on, uint64_t seed, void *workspace, F &&f) const;
    /// A block's part of means and of numbers, a row for every row of the mixing.
    [[nodiscard]] Matrix means_of(const ProbeBlock &block, void *means) const;
    [[nodiscard]] ConstMatrix means_of(const ProbeBlock &block, const void *means) const;
    [[nodiscard]] Matrix numbers_of(const ProbeBlock &block, void *numbers) const;
    [[nodiscard]] ConstMatrix numbers_of(const ProbeBlock &block, const void *numbers) const;
    [[nodiscard]] int64_t rows() const { return geometry_.batch * mixing_.rows; }
    /// Numbers of the filter of ones of a sample.
    [[nodiscard]] int64_t ones_sample() const
    {
        return geometry_.out_channels * geometry_.kernel_points();
    }

    [[nodiscard]] int64_t probe_means_bytes() const;
    [[nodiscard]] Dtype compute() const { return compute_dtype(geometry_.dtype); }
    [[nodiscard]] int64_t bytes() const { return element_bytes(compute()); }
    /// So many numbers further on.
    template <class Void> [[nodiscard]] Void *at(Void *base, int64_t numbers) const
    {
        return at_element(compute(), base, numbers);
    }

    ConvGeometry geometry_;
    Distribution distribution_;
    Mixing mixing_;
    int64_t numbers_per_row_;
    double scale_;
    bool rebuilds_x_;
    int64_t samples_ = 0; // whose filter of ones is formed together
};

} // namespace xconv
