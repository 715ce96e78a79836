#include "schemes/scheme.hpp"

#include <array>

#include "workspace.hpp"

namespace xconv {

namespace {

/// Numbers that share their smallest and largest level, when the caller leaves it
/// open: about so many, in groups of one size, rounded up to whole vectors.
constexpr int64_t kUsualGroup = 256;
constexpr int64_t kGroupUnit = 64;
/// Groups start at bytes, whatever the bits.
constexpr int64_t kGroupMultiple = 8;
constexpr int kMeansBits = 8;

Distribution checked_distribution(xconv_distribution distribution)
{
    switch (distribution) {
    case XCONV_RADEMACHER:
        return Distribution::rademacher;
    case XCONV_GAUSSIAN:
        return Distribution::gaussian;
    case XCONV_UNIFORM:
        return Distribution::uniform;
    default:
        fail(XCONV_INVALID_ARGUMENT, "distribution = {}: not an xconv_distribution", distribution);
    }
}

const char *distribution_name(Distribution distribution)
{
    constexpr std::array names{"rademacher", "gaussian", "uniform"};
    return names.at(static_cast<size_t>(distribution));
}

/// r with every product that later code forms from it proved to fit.
int64_t checked_probes(const xconv_scheme_desc &desc, const ProjectionEntry &entry,
                       const ConvGeometry &g)
{
    if (!entry.random) {
        if (desc.probes != 0) {
            fail(XCONV_INVALID_ARGUMENT, "probes = {}: must be 0 for {}", desc.probes, entry.name);
        }
        if (desc.distribution != 0) {
            fail(XCONV_INVALID_ARGUMENT, "distribution = {}: must be 0 for {}", desc.distribution,
                 entry.name);
        }
        return 0;
    }
    if (desc.probes < 1) {
        fail(XCONV_INVALID_ARGUMENT, "probes = {}: must be at least 1", desc.probes);
    }
    const int64_t bytes =
        checked_mul(desc.probes, kSizeHeadroom * element_bytes(compute_dtype(g.dtype)), "probes");
    for (const int64_t count : {g.batch * g.in_channels, g.x_sample(), g.y_sample(),
                                checked_mul(g.batch * g.out_channels, g.kernel_points(), "dw")}) {
        static_cast<void>(checked_mul(bytes, count, "probes"));
    }
    return desc.probes;
}

bool checked_deflation(const xconv_scheme_desc &desc, const ProjectionEntry &entry)
{
    if (desc.deflate_mean != 0 && desc.deflate_mean != 1) {
        fail(XCONV_INVALID_ARGUMENT, "deflate_mean = {}: must be 0 or 1", desc.deflate_mean);
    }
    if (desc.deflate_mean == 1 && !entry.random) {
        fail(XCONV_INVALID_ARGUMENT, "deflate_mean = 1: must be 0 for {}, which has no probes",
             entry.name);
    }
    return desc.deflate_mean == 1;
}

/// How rows of `numbers` are packed; nothing for bits = 0.
std::optional<Packing> checked_packing(const xconv_scheme_desc &desc, int64_t rows, int64_t numbers)
{
    if (desc.bits != 0 && desc.bits != 1 && desc.bits != 2 && desc.bits != 4 && desc.bits != 8) {
        fail(XCONV_INVALID_ARGUMENT, "bits = {}: must be 0, 1, 2, 4 or 8", desc.bits);
    }
    if (desc.group < 0 || desc.group % kGroupMultiple != 0) {
        fail(XCONV_INVALID_ARGUMENT, "group = {}: must be a multiple of {}, or 0", desc.group,
             kGroupMultiple);
    }
    if (desc.bits == 0) {
        if (desc.group != 0) {
            fail(XCONV_INVALID_ARGUMENT, "group = {}: must be 0 while bits is 0", desc.group);
        }
        return std::nullopt;
    }
    const int64_t groups = std::max<int64_t>(numbers / kUsualGroup, 1);
    const int64_t usual = round_up(ceil_div(numbers, groups), kGroupUnit);
    return Packing{desc.bits, rows, numbers, desc.group == 0 ? usual : desc.group};
}

std::string scheme_name(const ProjectionEntry &entry, int64_t probes, Distribution distribution,
                        bool deflates, const std::optional<Packing> &packing)
{
    std::string name = entry.name;
    if (entry.random) {
        name += fmt::format(" r={} {}", probes, distribution_name(distribution));
    }
    if (deflates) {
        name += ", mean";
    }
    if (packing) {
        name +=
            fmt::format(", {} bit{} in groups of {}", packing->bits, packing->bits == 1 ? "" : "s",
                        std::min(packing->group, packing->numbers));
    }
    return name;
}

} // namespace

Scheme::Scheme(const Backend &backend, const ConvGeometry &geometry, const xconv_scheme_desc &desc,
               xconv_contraction requested, int64_t workspace_limit)
    : geometry_(geometry)
{
    const ProjectionEntry &entry = find_projection(desc.projection);
    const Distribution distribution = checked_distribution(desc.distribution);
    const int64_t probes = checked_probes(desc, entry, geometry);
    const bool deflates = checked_deflation(desc, entry);
    static_cast<void>(checked_packing(desc, 1, 1));

    projection_ = entry.make({backend, geometry, distribution, probes, requested, desc.bits != 0,
                              deflates, workspace_limit});
    packing_ = checked_packing(desc, geometry.batch, projection_->numbers_per_sample());
    if (deflates) {
        deflation_.emplace(geometry, distribution, *projection_, workspace_limit);
        if (packing_) {
            const int64_t means = deflation_->means_per_sample();
            means_packing_ =
                Packing{kMeansBits, geometry.batch, means, round_up(means, kGroupMultiple)};
        }
    }
    name_ = scheme_name(entry, probes, distribution, deflates, packing_);
}

int64_t Scheme::numbers_bytes() const
{
    const Dtype dtype = projection_->keeps_x() ? geometry_.dtype : compute();
    return geometry_.batch * projection_->numbers_per_sample() * element_bytes(dtype);
}

int64_t Scheme::means_bytes() const
{
    return deflation_ ? geometry_.batch * deflation_->means_per_sample() * element_bytes(compute())
                      : 0;
}

int64_t Scheme::kept_means_bytes() const
{
    // The numbers that follow start at one of their own size.
    return means_packing_ ? round_up(means_packing_->bytes(compute()), element_bytes(compute()))
                          : means_bytes();
}

int64_t Scheme::kept_bytes() const
{
    return kept_means_bytes() + (packing_ ? packing_->bytes(compute()) : numbers_bytes());
}

Scheme::Pieces Scheme::take(Arena &arena, bool means, bool ones) const
{
    const bool unpacked = packing_ && !projection_->keeps_x();
    Pieces pieces{};
    pieces.numbers = arena.take(unpacked ? numbers_bytes() : 0);
    pieces.means = arena.take(means ? means_bytes() : 0);
    if (ones && deflation_ && deflation_->ones_bytes() > 0) {
        pieces.ones = arena.take(deflation_->ones_bytes());
    }
    pieces.scratch = arena.take(0);
    return pieces;
}

int64_t Scheme::sketch_workspace() const
{
    Arena arena(nullptr);
    static_cast<void>(take(arena, means_packing_.has_value(), false));
    arena.take(
        std::max(projection_->sketch_workspace(), deflation_ ? deflation_->sketch_workspace() : 0));
    return arena.used();
}

int64_t Scheme::filter_workspace() const
{
    Arena arena(nullptr);
    static_cast<void>(take(arena, true, true));
    arena.take(
        std::max(projection_->filter_workspace(), deflation_ ? deflation_->filter_workspace() : 0));
    return arena.used();
}

void Scheme::sketch(const Backend &on, uint64_t seed, const void *x, void *kept,
                    void *workspace) const
{
    Arena arena(workspace);
    const Pieces pieces = take(arena, means_packing_.has_value(), false);
    void *kept_numbers = at_byte(kept, kept_means_bytes());
    if (projection_->keeps_x() && packing_) {
        on.pack(geometry_.dtype, *packing_, {seed, RoundingStream::numbers}, x, kept_numbers);
        return;
    }
    void *numbers = packing_ ? pieces.numbers : kept_numbers;
    void *means = means_packing_ ? pieces.means : deflation_ ? kept : nullptr;
    projection_->sketch(on, seed, x, numbers, means, pieces.scratch);
    if (deflation_) {
        deflation_->deflate(on, seed, means, numbers, pieces.scratch);
        if (means_packing_) {
            on.pack(compute(), *means_packing_, {seed, RoundingStream::means}, means, kept);
            // The gap before the numbers is kept as well: the same draw, the same bytes.
            const int64_t bytes = means_packing_->bytes(compute());
            on.copy(kept, at_byte(kept, bytes), kept_means_bytes() - bytes);
        }
    }
    if (packing_) {
        on.pack(compute(), *packing_, {seed, RoundingStream::numbers}, numbers, kept_numbers);
    }
}

void Scheme::filter(const Backend &on, uint64_t seed, const void *kept, const void *dy, void *sum,
                    void *workspace) const
{
    Arena arena(workspace);
    const Pieces pieces = take(arena, true, true);
    const auto unpack = [&](const Packing &packing, const void *packed, void *numbers) {
        on.unpack(compute(), packing, packed, 0, 0, Runs::one(packing.numbers),
                  {numbers, packing.rows, packing.numbers, packing.numbers});
    };
    KeptNumbers numbers{at_byte(kept, kept_means_bytes())};
    if (packing_ && projection_->keeps_x()) {
        numbers.packing = &*packing_;
    }
    else if (packing_) {
        unpack(*packing_, numbers.data, pieces.numbers);
        numbers.data = pieces.numbers;
    }
    if (!deflation_) {
        projection_->filter(on, seed, numbers, dy, sum, nullptr, pieces.scratch);
        return;
    }
    if (means_packing_) {
        unpack(*means_packing_, kept, pieces.means);
    }
    else {
        on.copy(kept, pieces.means, means_bytes());
    }
    deflation_->inflate(on, seed, pieces.means, numbers.data, pieces.scratch);
    if (deflation_->rebuilds_x()) {
        numbers.means = pieces.means;
        projection_->filter(on, seed, numbers, dy, sum, nullptr, pieces.scratch);
    }
    else {
        projection_->filter(on, seed, numbers, dy, sum, pieces.ones, pieces.scratch);
        deflation_->filter(on, pieces.means, dy, pieces.ones, sum, pieces.scratch);
    }
}

} // namespace xconv
