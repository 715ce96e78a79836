#include "cpu/cpu_backend.hpp"

#include <omp.h>

#include <algorithm>

#include "cpu/bias.hpp"
#include "cpu/conv_list.hpp"
#include "cpu/conv_signs.hpp"
#include "cpu/deflation.hpp"
#include "cpu/matrix.hpp"
#include "cpu/maxpool.hpp"
#include "cpu/packing.hpp"
#include "cpu/probes.hpp"
#include "cpu/relu.hpp"
#include "cpu/signs.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

namespace {

/// Of a thread: about its second-level cache.
constexpr int64_t kCachedBytes = 3 << 19;

class CpuBackend final : public Backend {
  public:
    explicit CpuBackend(int threads)
        : threads_(threads),
          simd_(&best_simd_variant()), probes_{threads, simd_, signs::available()},
          deflation_{threads, simd_}, packing_{threads, simd_}
    {
    }

    [[nodiscard]] Key key() const override { return {XCONV_CPU, 0, threads_}; }

    [[nodiscard]] std::unique_ptr<ForwardPass> forward(const ConvGeometry &geometry,
                                                       int64_t workspace_limit) const override
    {
        return make_forward(geometry, workspace_limit, threads_);
    }
    [[nodiscard]] std::unique_ptr<DataPass> backward_data(const ConvGeometry &geometry,
                                                          int64_t workspace_limit) const override
    {
        return make_backward_data(geometry, workspace_limit, threads_);
    }
    [[nodiscard]] std::unique_ptr<FilterPass>
    backward_filter(const ConvGeometry &geometry, int64_t workspace_limit) const override
    {
        return make_backward_filter(geometry, workspace_limit, threads_);
    }
    [[nodiscard]] int64_t cached_bytes() const override { return kCachedBytes * threads_; }
    [[nodiscard]] ProbeCosts probe_costs(const ConvGeometry &geometry,
                                         Distribution distribution) const override
    {
        ProbeCosts costs;
        if constexpr (signs::kCompiled) {
            if (probes_.matrix_units && geometry.dtype == Dtype::f32 &&
                distribution == Distribution::rademacher) {
                costs.product = 0.25;
                costs.draw = 2;
                if (takes_signs(geometry)) {
                    costs.filter = 0.6;
                    costs.channel_block = 16;
                }
            }
        }
        return costs;
    }
    [[nodiscard]] std::unique_ptr<ProbeFilterPass>
    probe_filter(const ConvGeometry &geometry, Distribution distribution,
                 int64_t workspace_limit) const override
    {
        if constexpr (signs::kCompiled) {
            if (distribution == Distribution::rademacher) {
                return make_sign_filter(geometry, workspace_limit, threads_, best_simd_variant());
            }
        }
        return nullptr;
    }
    void backward_bias(const ConvGeometry &geometry, const void *dy, double beta, Dtype db_dtype,
                       void *db) const override
    {
        cpu::backward_bias(geometry, dy, beta, db_dtype, db, threads_);
    }

    void project(Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
                 const ChannelMeans *means, void *workspace) const override
    {
        probes_.project(dtype, probes, x, out, means, workspace);
    }
    [[nodiscard]] int64_t project_workspace(Dtype dtype, int64_t rows, int64_t length,
                                            int64_t columns, int64_t channel) const override
    {
        return cpu::project_workspace(dtype, rows, length, columns, channel);
    }
    void draw(Dtype dtype, const Probes &probes, Runs rows, Matrix out) const override
    {
        probes_.draw(dtype, probes, rows, out);
    }
    void expand(Dtype dtype, const Probes &probes, Runs rows, ConstMatrix coefficients,
                const RunConstants *constants, Matrix out) const override
    {
        probes_.expand(dtype, probes, rows, coefficients, constants, out);
    }

    void probe_means(Dtype compute, const Probes &probes, Runs rows, Matrix means) const override
    {
        probes_.probe_means(compute, probes, rows, means);
    }
    void filter_of_ones(const ConvGeometry &geometry, const void *dy, void *sums) const override
    {
        deflation_.filter_of_ones(geometry, {0, geometry.out_points()}, dy, sums);
    }

    void pack(Dtype dtype, const Packing &packing, const Rounding &rounding, const void *numbers,
              void *packed) const override
    {
        packing_.pack(dtype, packing, rounding, numbers, packed);
    }
    void unpack(Dtype compute, const Packing &packing, const void *packed, int64_t first,
                int64_t offset, Runs places, Matrix out) const override
    {
        packing_.unpack(compute, packing, packed, first, offset, places, out);
    }

    void combine(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                 Matrix out) const override
    {
        probes_.combine(dtype, coefficients, in, columns, out);
    }
    void combine_and_sum(const ConvGeometry &geometry, Interval places, ConstMatrix coefficients,
                         const void *dy, Matrix out, void *ones) const override
    {
        probes_.combine_and_sum(geometry, places, coefficients, dy, out, ones);
    }
    void multiply(Dtype compute, double alpha, Operand a, Operand b, bool accumulate,
                  Matrix out) const override
    {
        cpu::multiply(compute, alpha, a, b, accumulate, out, threads_);
    }
    void transpose(Dtype compute, const void *in, int64_t a, int64_t b, int64_t c, int64_t run,
                   bool accumulate, void *out) const override
    {
        cpu::transpose(compute, in, a, b, c, run, accumulate, out, threads_);
    }

    void copy(const void *from, void *to, int64_t bytes) const override
    {
        cpu::copy(from, to, bytes, threads_);
    }
    void read(const void *from, void *to, int64_t bytes) const override { copy(from, to, bytes); }
    void convert(Dtype from, ConstMatrix in, Runs columns, Dtype to, Matrix out) const override
    {
        cpu::convert(from, in, columns, to, out, threads_);
    }
    void finish_filter(Dtype compute, int64_t runs, int64_t kernel, bool flip, const void *sum,
                       double scale, double beta, Dtype dw_dtype, void *dw) const override
    {
        cpu::finish_filter(compute, runs, kernel, flip, sum, scale, beta, dw_dtype, dw, threads_);
    }
    void mirror(Dtype dtype, const void *from, int64_t runs, int64_t kernel,
                void *to) const override
    {
        cpu::mirror(dtype, from, runs, kernel, to, threads_);
    }

    void relu_forward(Dtype dtype, int64_t count, double negative_slope, double ceiling,
                      const void *x, void *y, uint8_t *mask) const override
    {
        cpu::relu_forward(dtype, count, negative_slope, ceiling, x, y, mask, threads_);
    }
    void relu_backward(Dtype dtype, int64_t count, double negative_slope, const uint8_t *mask,
                       const void *dy, void *dx) const override
    {
        cpu::relu_backward(dtype, count, negative_slope, mask, dy, dx, threads_);
    }
    void maxpool_forward(const PoolGeometry &geometry, const void *x, void *y,
                         uint8_t *index) const override
    {
        cpu::maxpool_forward(geometry, x, y, index, threads_);
    }
    void maxpool_backward(const PoolGeometry &geometry, const uint8_t *index, const void *dy,
                          void *dx) const override
    {
        cpu::maxpool_backward(geometry, index, dy, dx, threads_);
    }

  private:
    int threads_;
    const SimdVariant *simd_;
    ProbeOps probes_;
    DeflationOps deflation_;
    PackingOps packing_;
};

constexpr int32_t kMostThreads = 4096;

} // namespace

std::shared_ptr<const Backend> make_cpu_backend(const xconv_context_desc &desc)
{
    if (desc.device_index != 0) {
        fail(XCONV_DEVICE_ERROR, "device_index = {}: the CPU is device 0", desc.device_index);
    }
    if (desc.stream != nullptr) {
        fail(XCONV_INVALID_ARGUMENT, "stream = {}: must be NULL on the CPU", desc.stream);
    }
    if (desc.threads < 0 || desc.threads > kMostThreads) {
        fail(XCONV_INVALID_ARGUMENT, "threads = {}: must be between 0 and {}", desc.threads,
             kMostThreads);
    }
    // A team smaller than a kernel was made for would never finish.
    const int wanted = desc.threads == 0 ? omp_get_max_threads() : desc.threads;
    return std::make_shared<CpuBackend>(std::min(wanted, omp_get_thread_limit()));
}

std::string describe_cpu_backend()
{
    return fmt::format("{}, {}", describe_libraries(), best_simd_variant().name);
}

} // namespace xconv::cpu
