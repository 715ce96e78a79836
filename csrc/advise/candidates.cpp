#include "advise/candidates.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "schemes/projection.hpp"

namespace xconv {

namespace {

// The choices beside the projection, the most promising first: where a choice stands
// in its list, and how fine a step of r is, add up to how late a candidate is measured.
constexpr std::array kProbeBits{2, 4, 0};
constexpr std::array kMeans{1, 0};
constexpr std::array kUnprojectedBits{0, 2, 1, 4, 8};

// Numbers are projected to between 1/512 and 1/4 as many, in steps of 2. More are
// better kept in few bits each; fewer leave nothing but noise.
constexpr int64_t kMostReduction = 512;
constexpr int64_t kLeastReduction = 4;

xconv_scheme_desc scheme_of(xconv_projection projection, int64_t probes, int mean, int bits)
{
    xconv_scheme_desc scheme = XCONV_SCHEME_DESC_INIT;
    scheme.projection = projection;
    scheme.probes = probes;
    scheme.deflate_mean = mean;
    scheme.bits = bits;
    return scheme;
}

/// How fine the grid 1, 2, 3, ... has to be to hold `step`: 0 for multiples of 8.
int fineness(int step) { return 3 - std::min(std::countr_zero(static_cast<unsigned>(step)), 3); }

/// All compositions with one projection and one r.
void add_with_probes(xconv_projection projection, int64_t probes, int lateness,
                     std::vector<Candidate> &candidates)
{
    int late_bits = 0;
    for (const int bits : kProbeBits) {
        int late_mean = 0;
        for (const int mean : kMeans) {
            candidates.push_back(
                {scheme_of(projection, probes, mean, bits), lateness + late_bits + late_mean});
            ++late_mean;
        }
        ++late_bits;
    }
}

/// All compositions with one projection.
void add(const ProjectionEntry &entry, const ConvGeometry &g, std::vector<Candidate> &candidates)
{
    if (!entry.random) {
        for (const int bits : kUnprojectedBits) {
            candidates.push_back({scheme_of(entry.projection, 0, 0, bits), 0});
        }
        return;
    }
    const int64_t mixed = entry.per_channel ? g.in_points() : g.in_points() * g.in_channels;
    int step = 1;
    for (int64_t reduction = kMostReduction; reduction >= kLeastReduction; reduction /= 2) {
        if (mixed >= reduction) {
            add_with_probes(entry.projection, mixed / reduction, fineness(step), candidates);
            ++step;
        }
    }
}

} // namespace

std::vector<Candidate> candidate_schemes(const ConvGeometry &g)
{
    std::vector<Candidate> candidates;
    for (const ProjectionEntry &entry : projections()) {
        // With a single channel, projections do not differ in what they mix.
        if (!entry.random || g.in_channels > 1 || entry.per_channel) {
            add(entry, g, candidates);
        }
    }
    return candidates;
}

} // namespace xconv
