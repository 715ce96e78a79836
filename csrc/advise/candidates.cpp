#include "advise/candidates.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace xconv {

namespace {

// Every choice, the most promising first: where a choice stands in its list, and
// how fine a step of r is, add up to how late a candidate is measured.
constexpr std::array kProjections{XCONV_INDEPENDENT, XCONV_DENSE, XCONV_ORTHOGONAL};
constexpr std::array kProbeBits{2, 4, 0};
constexpr std::array kMeans{1, 0};
constexpr std::array kIdentityBits{0, 2, 1, 4, 8};

// Numbers are projected to between 1/512 and 1/4 as many, in steps of 2. More are
// better kept in few bits each; fewer leave nothing but noise.
constexpr int64_t kMostReduction = 512;
constexpr int64_t kLeastReduction = 4;

struct Candidate {
    xconv_scheme_desc scheme;
    int lateness;
};

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
void compose(xconv_projection projection, int64_t probes, int lateness,
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

} // namespace

std::vector<xconv_scheme_desc> candidate_schemes(const ConvGeometry &g)
{
    std::vector<xconv_scheme_desc> schemes;
    for (const int bits : kIdentityBits) {
        schemes.push_back(scheme_of(XCONV_IDENTITY, 0, 0, bits));
    }

    std::vector<Candidate> candidates;
    int late_projection = 0;
    for (const xconv_projection projection : kProjections) {
        const int64_t mixed =
            projection == XCONV_INDEPENDENT ? g.in_points() : g.in_points() * g.in_channels;
        int step = 1;
        for (int64_t reduction = kMostReduction; reduction >= kLeastReduction; reduction /= 2) {
            if (mixed >= reduction) {
                compose(projection, mixed / reduction, late_projection + fineness(step),
                        candidates);
                ++step;
            }
        }
        ++late_projection;
        if (g.in_channels == 1) {
            break; // with a single channel, all projections are the same
        }
    }
    std::stable_sort(
        candidates.begin(), candidates.end(),
        [](const Candidate &a, const Candidate &b) { return a.lateness < b.lateness; });
    for (const Candidate &candidate : candidates) {
        schemes.push_back(candidate.scheme);
    }
    return schemes;
}

} // namespace xconv
