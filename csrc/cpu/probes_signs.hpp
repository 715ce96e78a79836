// The random projection on matrix units, for numbers in Float32; see signs.hpp. The
// same operations as ProbeOps, where signs::available(). x and in are of `dtype`.
#pragma once

#include "backend.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

/// ProbeOps::project for Rademacher probes; the workspace holds partial sums.
void project_signs(const SimdVariant &simd, int threads, Dtype dtype, const Probes &probes,
                   ConstMatrix x, Matrix out, const ChannelMeans *means, void *workspace);
int64_t project_signs_workspace(int64_t rows, int64_t length, int64_t columns, int64_t channel);

/// Backend::expand for Rademacher probes.
void expand_signs(DrawBits draw_bits, int threads, const Probes &probes, Runs rows,
                  ConstMatrix coefficients, const RunConstants *constants, Matrix out);

} // namespace xconv::cpu
