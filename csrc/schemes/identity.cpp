// identity: keep x itself. The exact baseline, through the same code path.
#include "schemes/projection.hpp"

namespace xconv {

namespace {

class Identity final : public Projection {
  public:
    explicit Identity(const ProjectionSetup &setup)
        : geometry_(setup.geometry),
          filter_(setup.backend.backward_filter(setup.geometry, setup.workspace_limit))
    {
    }

    [[nodiscard]] int64_t numbers_per_sample() const override { return geometry_.x_sample(); }
    [[nodiscard]] xconv_contraction contraction() const override { return XCONV_X_FIRST; }
    [[nodiscard]] int64_t sketch_workspace() const override { return 0; }
    [[nodiscard]] int64_t filter_workspace() const override { return filter_->workspace(); }

    void sketch(const Backend &on, uint64_t /*seed*/, const void *x, void *numbers,
                void * /*workspace*/) const override
    {
        on.copy(x, numbers, geometry_.x_count() * element_bytes(geometry_.dtype));
    }
    void filter(const Backend &on, uint64_t /*seed*/, const void *numbers, const void *dy,
                void *sum, void *workspace) const override
    {
        filter_->run(on, numbers, dy, false, sum, workspace);
    }
    [[nodiscard]] double scale() const override { return 1.0; }
    [[nodiscard]] std::string describe() const override
    {
        return fmt::format("exact, {}", filter_->describe());
    }

  private:
    ConvGeometry geometry_;
    std::unique_ptr<FilterPass> filter_;
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
