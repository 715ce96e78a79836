// cuBLAS on one device and stream.
#pragma once

#include <cublas_v2.h>

#include <string>

#include "cuda/blas.hpp"
#include "cuda/stream.hpp"

namespace xconv::cuda {

class CublasBlas final : public Blas {
  public:
    /// The current device's. `workspace` is device memory that only this uses;
    /// with it, products neither allocate nor synchronise.
    CublasBlas(Stream stream, void *workspace, size_t workspace_bytes, bool allow_tf32);
    ~CublasBlas() override;
    CublasBlas(const CublasBlas &) = delete;
    CublasBlas &operator=(const CublasBlas &) = delete;

    void multiply(const Product &product) const override;

  private:
    cublasHandle_t handle_ = nullptr;
    bool allow_tf32_;
};

/// "cuBLAS 13.0.2"
std::string describe_cublas();

} // namespace xconv::cuda
