// The device's BLAS, played by a CBLAS.
#pragma once

#include "cuda/blas.hpp"

namespace emulated {

class CblasBlas final : public xconv::cuda::Blas {
  public:
    void multiply(const xconv::cuda::Product &product) const override;
};

} // namespace emulated
