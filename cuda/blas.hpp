// Matrix products of the device's BLAS.
#pragma once

#include <cstdint>

#include "dtype.hpp"

namespace xconv::cuda {

/// A factor of neighbouring products: rows lie `stride` elements apart in memory,
/// the matrices of two neighbours `step`.
struct Factor {
    const void *data;
    int64_t stride;
    bool transposed = false;
    int64_t step = 0;
};

/// out = alpha a b, or out += it when `accumulate`, `count` times. Row-major; a is
/// rows x inner and b inner x cols once transposed as they say. Sums are formed in
/// compute_dtype().
struct Product {
    Dtype dtype;     // of a and b
    Dtype out_dtype; // the same, or its compute_dtype()
    int64_t rows;
    int64_t cols;
    int64_t inner;
    double alpha = 1;
    Factor a;
    Factor b;
    bool accumulate = false;
    void *out;
    int64_t out_stride;
    int64_t out_step = 0;
    int64_t count = 1;
};

class Blas {
  public:
    Blas() = default;
    Blas(const Blas &) = delete;
    Blas &operator=(const Blas &) = delete;
    virtual ~Blas() = default;
    virtual void multiply(const Product &product) const = 0;
};

} // namespace xconv::cuda
