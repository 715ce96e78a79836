// Which scheme? Measures candidates on a layer's own tensors.
#pragma once

#include <cstdint>
#include <vector>

#include "advise/measure.hpp"
#include "backend.hpp"
#include "geometry.hpp"
#include "xconv/xconv.h"

namespace xconv {

/// xconv_advise_options with defaults filled in.
struct AdviseRequest {
    Draws draws;
    int64_t budget_bytes; // of what is kept
    double max_noise;
    double seconds;
    uint64_t seed;
};
/// Validates; throws Error naming the field and its value.
AdviseRequest make_advise_request(const xconv_advise_options &options);

struct Advised {
    std::vector<xconv_advice> schemes;
    double batch_noise;
};

/// Most schemes that can be advised.
int64_t advise_capacity(const ConvGeometry &geometry);

/// All candidates within the budget, prepared for one layer.
class Advisor {
  public:
    /// The backend has to live as long.
    Advisor(const Backend &on, const ConvGeometry &geometry, const AdviseRequest &request);

    [[nodiscard]] int64_t workspace() const; // bytes
    [[nodiscard]] Advised run(const void *x, const void *dy, void *workspace) const;

  private:
    const Backend &on_;
    ConvGeometry geometry_;
    AdviseRequest request_;
    std::vector<SchemeMeter> meters_;
};

} // namespace xconv
