// identity: keep x itself. As it is, the exact baseline through the same code path;
// packed, x is unpacked in chunks that meet the exact filter gradient.
#include <optional>

#include "cost.hpp"
#include "schemes/projection.hpp"
#include "schemes/x_first.hpp"

namespace xconv {

namespace {

class Identity final : public Projection {
  public:
    explicit Identity(const ProjectionSetup &setup) : geometry_(setup.geometry)
    {
        if (setup.packed) {
            chunks_.emplace(setup);
        }
        else {
            whole_ = setup.backend.backward_filter(setup.geometry, setup.workspace_limit);
        }
    }

    [[nodiscard]] int64_t numbers_per_sample() const override { return geometry_.x_sample(); }
    [[nodiscard]] bool keeps_x() const override { return true; }
    [[nodiscard]] Mixing mixing() const override { return {1, {}}; }
    [[nodiscard]] xconv_contraction contraction() const override { return XCONV_X_FIRST; }
    [[nodiscard]] double cost() const override { return filter_cost(geometry_); }
    [[nodiscard]] int64_t sketch_workspace() const override { return 0; }
    [[nodiscard]] int64_t filter_workspace() const override
    {
        return chunks_ ? chunks_->workspace() : whole_->workspace();
    }

    void sketch(const Backend &on, uint64_t /*seed*/, const void *x, void *numbers,
                void * /*means*/, void * /*workspace*/) const override
    {
        on.copy(x, numbers, geometry_.x_count() * element_bytes(geometry_.dtype));
    }
    void filter(const Backend &on, uint64_t /*seed*/, const KeptNumbers &numbers, const void *dy,
                void *sum, void * /*ones*/, void *workspace) const override
    {
        if (!chunks_) {
            whole_->run(on, numbers.data, dy, false, sum, workspace);
            return;
        }
        chunks_->run(on, dy, sum, workspace, [&](const XHatPart &part) {
            const Runs places{geometry_.in_channels, part.length, geometry_.in_points()};
            on.unpack(compute_dtype(geometry_.dtype), *numbers.packing, numbers.data, part.first,
                      part.offset, places,
                      {part.x_hat, part.count, places.total(), places.total()});
        });
    }
    [[nodiscard]] double scale() const override { return 1.0; }
    [[nodiscard]] std::string describe() const override
    {
        return chunks_ ? "unpacked, " + chunks_->describe() : "exact, " + whole_->describe();
    }

  private:
    ConvGeometry geometry_;
    std::unique_ptr<FilterPass> whole_; // when x is kept as it is
    std::optional<XFirst> chunks_;      // when it is packed
};

} // namespace

std::unique_ptr<Projection> make_identity(const ProjectionSetup &setup)
{
    if (setup.requested == XCONV_DY_FIRST) {
        fail(XCONV_INVALID_ARGUMENT,
             "contraction = {}: XCONV_IDENTITY has nothing to contract with dy first",
             setup.requested);
    }
    return std::make_unique<Identity>(setup);
}

} // namespace xconv
