// What every scheme is made of: a linear map of x to fewer numbers, and the
// filter gradient of its unbiased inverse.
//
// csrc/README.md derives the estimators. A scheme is a composition
//     kept = quantize(project(x - mean)), and the mean itself;
// this is its middle step, and scheme.hpp puts the others around it. Projections
// know nothing of devices: they are written in the operations of Backend.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

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
    bool packed;                 // numbers are kept in a few bits
    bool deflated;               // sketch() is asked for means
    int64_t workspace_limit;     // bytes a pass aims to stay below
};

/// Probes as they meet channels: columns [column, column + columns) of z in the
/// places of channels [channel, channel + channels), and nowhere else.
struct ProbeBlock {
    int64_t channel;
    int64_t channels;
    int64_t column;
    int64_t columns;
};

/// How a projection mixes the numbers of a sample: as `rows` of Ci / rows channels,
/// each probed by the same blocks.
struct Mixing {
    int64_t rows;
    std::vector<ProbeBlock> blocks;
};

/// The numbers of a sketch: all of them, or packed.
struct KeptNumbers {
    const void *data;
    const Packing *packing = nullptr; // null: as they are
    const void *means = nullptr;      // [batch][Ci] to add to x-hat; where it is rebuilt
};

class Projection {
  public:
    Projection() = default;
    Projection(const Projection &) = delete;
    Projection &operator=(const Projection &) = delete;
    virtual ~Projection() = default;

    /// Numbers kept of one sample, of the geometry's compute type (x's own type when
    /// x itself is kept). Samples are independent: the sketch of a batch is the
    /// sketches of its samples.
    [[nodiscard]] virtual int64_t numbers_per_sample() const = 0;
    /// Whether the numbers are x itself. Then filter() takes them packed, too, and
    /// sketch() has nothing to do for a sketch that is.
    [[nodiscard]] virtual bool keeps_x() const { return false; }
    /// How z meets the channels; no blocks when there is no z.
    [[nodiscard]] virtual Mixing mixing() const = 0;
    /// The order of contraction in use.
    [[nodiscard]] virtual xconv_contraction contraction() const = 0;
    /// What filter() costs, roughly (cost.hpp).
    [[nodiscard]] virtual double cost() const = 0;
    [[nodiscard]] virtual int64_t sketch_workspace() const = 0;
    [[nodiscard]] virtual int64_t filter_workspace() const = 0;

    /// numbers [batch][numbers_per_sample] of x; and the means of its channels, [batch]
    /// [Ci] numbers, unless null.
    virtual void sketch(const Backend &on, uint64_t seed, const void *x, void *numbers, void *means,
                        void *workspace) const = 0;
    /// sum [Co][Ci/groups][K] such that E[scale() * sum] is the filter gradient.
    /// The factor is left to the end so that sums of integers stay exact. And ones,
    /// the filter of ones of dy (Backend::filter_of_ones), unless null; where x-hat is
    /// rebuilt, x first, it is.
    virtual void filter(const Backend &on, uint64_t seed, const KeptNumbers &numbers,
                        const void *dy, void *sum, void *ones, void *workspace) const = 0;
    [[nodiscard]] virtual double scale() const = 0;

    [[nodiscard]] virtual std::string describe() const = 0;
};

/// One projection of the list: its enum value, its name, how to make it.
struct ProjectionEntry {
    xconv_projection projection;
    const char *name;
    bool random;      // takes probes and a distribution
    bool per_channel; // each probe leaves a number for every channel, not for a sample
    std::unique_ptr<Projection> (*make)(const ProjectionSetup &setup);
};

/// All there are.
std::span<const ProjectionEntry> projections();
/// The entry for an enum value; throws Error when there is none.
const ProjectionEntry &find_projection(xconv_projection projection);

std::unique_ptr<Projection> make_identity(const ProjectionSetup &setup);
std::unique_ptr<Projection> make_dense(const ProjectionSetup &setup);
std::unique_ptr<Projection> make_orthogonal(const ProjectionSetup &setup);
std::unique_ptr<Projection> make_independent(const ProjectionSetup &setup);

} // namespace xconv
