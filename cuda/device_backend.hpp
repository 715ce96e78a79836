// Backend in terms of kernels (ops_*.hpp) and a BLAS. The CUDA backend adds a
// device, cuBLAS and cuDNN to it; tests run it on the CPU.
#pragma once

#include "backend.hpp"
#include "cuda/blas.hpp"
#include "cuda/stream.hpp"

namespace xconv::cuda {

class DeviceBackend : public Backend {
  public:
    /// Bytes of device memory that operations without a workspace share: what is
    /// queued on one stream runs in order.
    static constexpr int64_t kScratchBytes = 16384;

    explicit DeviceBackend(Stream stream) : stream_(stream) {}

    [[nodiscard]] Stream stream() const { return stream_; }
    [[nodiscard]] virtual const Blas &blas() const = 0;

    [[nodiscard]] std::unique_ptr<ForwardPass> forward(const ConvGeometry &g,
                                                       int64_t workspace_limit) const override;
    [[nodiscard]] std::unique_ptr<DataPass> backward_data(const ConvGeometry &g,
                                                          int64_t workspace_limit) const override;
    [[nodiscard]] std::unique_ptr<FilterPass>
    backward_filter(const ConvGeometry &g, int64_t workspace_limit) const override;
    void backward_bias(const ConvGeometry &g, const void *dy, double beta, Dtype db_dtype,
                       void *db) const override;

    void project(Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
                 const ChannelMeans *means, void *workspace) const override;
    [[nodiscard]] int64_t project_workspace(Dtype dtype, int64_t rows, int64_t length,
                                            int64_t columns, int64_t channel) const override;
    void draw(Dtype compute, const Probes &probes, Runs rows, Matrix out) const override;
    void expand(Dtype compute, const Probes &probes, Runs rows, ConstMatrix coefficients,
                const RunConstants *constants, Matrix out) const override;

    void probe_means(Dtype compute, const Probes &probes, Runs rows, Matrix means) const override;
    void filter_of_ones(const ConvGeometry &g, const void *dy, void *sums) const override;

    void pack(Dtype dtype, const Packing &packing, const Rounding &rounding, const void *numbers,
              void *packed) const override;
    void unpack(Dtype compute, const Packing &packing, const void *packed, int64_t first,
                int64_t offset, Runs places, Matrix out) const override;

    void combine(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                 Matrix out) const override;
    void multiply(Dtype compute, double alpha, Operand a, Operand b, bool accumulate,
                  Matrix out) const override;
    void transpose(Dtype compute, const void *in, int64_t a, int64_t b, int64_t c, int64_t run,
                   bool accumulate, void *out) const override;

    void copy(const void *from, void *to, int64_t bytes) const override;
    void read(const void *from, void *to, int64_t bytes) const override;
    void convert(Dtype from, ConstMatrix in, Runs columns, Dtype to, Matrix out) const override;
    void finish_filter(Dtype compute, int64_t runs, int64_t kernel, bool flip, const void *sum,
                       double scale, double beta, Dtype dw_dtype, void *dw) const override;
    void mirror(Dtype dtype, const void *from, int64_t runs, int64_t kernel,
                void *to) const override;

    void relu_forward(Dtype dtype, int64_t count, double negative_slope, double ceiling,
                      const void *x, void *y, uint8_t *mask) const override;
    void relu_backward(Dtype dtype, int64_t count, double negative_slope, const uint8_t *mask,
                       const void *dy, void *dx) const override;
    void maxpool_forward(const PoolGeometry &g, const void *x, void *y,
                         uint8_t *index) const override;
    void maxpool_backward(const PoolGeometry &g, const uint8_t *index, const void *dy,
                          void *dx) const override;

  protected:
    /// kScratchBytes of device memory.
    [[nodiscard]] virtual void *scratch() const = 0;

  private:
    Stream stream_;
};

} // namespace xconv::cuda
