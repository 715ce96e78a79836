// The random projection on the CPU: z is drawn tile by tile into the cache and
// used there, never stored whole.
#pragma once

#include "backend.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// Backend::project and friends, with the thread count and the inner loops made
/// explicit.
struct ProbeOps {
    int threads;
    const SimdVariant *simd;
    bool matrix_units; // signs::available(), or false to do without

    void project(Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
                 const ChannelMeans *means, void *workspace) const;
    void draw(Dtype dtype, const Probes &probes, Runs rows, Matrix out) const;
    void expand(Dtype dtype, const Probes &probes, Runs rows, ConstMatrix coefficients,
                const RunConstants *constants, Matrix out) const;
    void probe_means(Dtype dtype, const Probes &probes, Runs rows, Matrix means) const;
    void combine(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                 Matrix out) const;
    void combine_and_sum(const ConvGeometry &geometry, Interval places, ConstMatrix coefficients,
                         const void *dy, Matrix out, void *ones) const;

    /// The threads that a product of these extents is worth.
    [[nodiscard]] int threads_for(int64_t rows, int64_t depth, int64_t columns) const;
    [[nodiscard]] bool combines_on_units(Dtype dtype, int64_t rows) const;
    /// Whether these probes go to the matrix units.
    [[nodiscard]] bool has_signs(Dtype dtype, const Probes &probes) const
    {
        return matrix_units && dtype == Dtype::f32 &&
               probes.distribution == Distribution::rademacher;
    }
};

int64_t project_workspace(Dtype dtype, int64_t rows, int64_t length, int64_t columns,
                          int64_t channel);

} // namespace xconv::cpu
