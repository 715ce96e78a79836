// What every scheme is made of: a linear map of x to fewer numbers, and the
// filter gradient of its unbiased inverse.
//
// csrc/README.md derives the estimators. A scheme is a composition
//     kept = quantize(project(x - mean)), and the mean itself;
// this is its middle step. Projections know nothing of devices: they are written
// in the operations of Backend.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backend.hpp"
#include "geometry.hpp"
#include "xconv/xconv.h"

namespace xconv {

/// Everything a projection is made from.
struct ProjectionSetup {
    const Backend &backend;
    const ConvGeometry &geometry;
    Distribution distribution;
    int64_t probes;              // r
    xconv_contraction requested; // XCONV_CONTRACTION_AUTO: the cheaper
    int64_t workspace_limit;     // bytes a pass aims to stay below
};

class Projection {
  public:
    Projection() = default;
    Projection(const Projection &) = delete;
    Projection &operator=(const Projection &) = delete;
    virtual ~Projection() = default;

    /// Numbers kept of one sample, in the geometry's element type. Samples are
    /// independent: the sketch of a batch is the sketches of its samples.
    [[nodiscard]] virtual int64_t numbers_per_sample() const = 0;
    /// The order of contraction in use.
    [[nodiscard]] virtual xconv_contraction contraction() const = 0;
    [[nodiscard]] virtual int64_t sketch_workspace() const = 0;
    [[nodiscard]] virtual int64_t filter_workspace() const = 0;

    /// numbers [batch][numbers_per_sample] of x.
    virtual void sketch(const Backend &on, uint64_t seed, const void *x, void *numbers,
                        void *workspace) const = 0;
    /// sum [Co][Ci/groups][K] such that E[scale() * sum] is the filter gradient.
    /// The factor is left to the end so that sums of integers stay exact.
    virtual void filter(const Backend &on, uint64_t seed, const void *numbers, const void *dy,
                        void *sum, void *workspace) const = 0;
    [[nodiscard]] virtual double scale() const = 0;

    [[nodiscard]] virtual std::string describe() const = 0;
};

/// One projection of the list: its enum value, its name, how to make it.
struct ProjectionEntry {
    xconv_projection projection;
    const char *name;
    bool random; // takes probes and a distribution
    std::unique_ptr<Projection> (*make)(const ProjectionSetup &setup);
};

/// The entry for an enum value; throws Error when there is none.
const ProjectionEntry &find_projection(xconv_projection projection);

std::unique_ptr<Projection> make_identity(const ProjectionSetup &setup);
std::unique_ptr<Projection> make_dense(const ProjectionSetup &setup);
std::unique_ptr<Projection> make_orthogonal(const ProjectionSetup &setup);
std::unique_ptr<Projection> make_independent(const ProjectionSetup &setup);

} // namespace xconv
