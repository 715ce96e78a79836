// What a device must be able to do. Schemes and plans are written in terms of
// these operations only; a new device is one new implementation of Backend.
//
// A `dtype` is the element type of the tensors an operation reads or writes; what
// it makes of them, "numbers", are of compute_dtype(dtype). Where an operation
// says `compute`, everything is numbers.
//
// All pointers are device memory. `workspace` is at least as large as the
// matching *_workspace() said, aligned to kAlignment. Operations of one backend
// run in the order of their calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "dtype.hpp"
#include "error.hpp"
#include "geometry.hpp"
#include "packing.hpp"
#include "packing_entry.hpp"

namespace xconv {

/// Every buffer inside a workspace starts at a multiple of this.
inline constexpr int64_t kAlignment = 64;

enum class Distribution : int32_t {
    rademacher = XCONV_RADEMACHER,
    gaussian = XCONV_GAUSSIAN,
    uniform = XCONV_UNIFORM
};

/// A window into the probing matrix z: entry (p, j) of the window is
/// z(row + p, column + j), a pure function of seed, row and column.
struct Probes {
    uint64_t seed = 0;
    Distribution distribution = Distribution::rademacher;
    int64_t row = 0;
    int64_t column = 0;

    /// The window that begins so much further on.
    [[nodiscard]] Probes shifted(int64_t rows, int64_t columns) const
    {
        return {seed, distribution, row + rows, column + columns};
    }
};

/// Row-major matrices: element (i, j) is data[i * stride + j].
struct ConstMatrix {
    const void *data;
    int64_t rows;
    int64_t cols;
    int64_t stride;
};
struct Matrix {
    void *data;
    int64_t rows;
    int64_t cols;
    int64_t stride;
    operator ConstMatrix() const { return {data, rows, cols, stride}; } // NOLINT: a view of itself
};

template <class T> T *row(Matrix matrix, int64_t i)
{
    return static_cast<T *>(matrix.data) + i * matrix.stride;
}
template <class T> const T *row(ConstMatrix matrix, int64_t i)
{
    return static_cast<const T *>(matrix.data) + i * matrix.stride;
}

/// A factor of a matrix product.
struct Operand {
    ConstMatrix matrix; // as it lies in memory
    bool transposed = false;
};

/// The means of the channels that rows consist of: means(i, c) of columns
/// [c * channel, (c + 1) * channel) of row i.
struct ChannelMeans {
    int64_t channel;
    Matrix means;
};

/// Equal runs of places: run c is [c * stride, c * stride + length). They are
/// counted through: place p is place p % length of run p / length.
struct Runs {
    int64_t count;
    int64_t length;
    int64_t stride;

    [[nodiscard]] int64_t total() const { return count * length; }
    static Runs one(int64_t length) { return {1, length, length}; }
    /// The same places: runs that follow on one another are one run.
    [[nodiscard]] Runs joined() const { return stride == length ? one(total()) : *this; }
};

/// Probes as images: channel c of image n at place p is entry (c * channel_rows + p,
/// c * channel_columns + n * image_columns) of the window.
struct ProbeImages {
    Probes window;
    int64_t channel_rows;
    int64_t channel_columns;
    int64_t image_columns;
};

/// factor * values(i, c) in every place of run c of row i.
struct RunConstants {
    double factor;
    ConstMatrix values;
};

/// Places of all channels of dy as what Backend::combine() takes.
struct PlacesOfY {
    PlacesOfY(const ConvGeometry &g, Interval places, const void *dy)
        : rows{at_element(g.dtype, dy, places.first), g.batch, g.y_sample() - places.first,
               g.y_sample()},
          columns(Runs{g.out_channels, places.length(), g.y_channel}.joined())
    {
    }

    ConstMatrix rows;
    Runs columns;
};

class Backend;

/// One exact pass of one convolution geometry, prepared once; immutable and
/// shared by threads. Shapes as in ConvGeometry.
class Pass {
  public:
    Pass() = default;
    Pass(const Pass &) = delete;
    Pass &operator=(const Pass &) = delete;
    virtual ~Pass() = default;
    [[nodiscard]] virtual int64_t workspace() const = 0;    // bytes
    [[nodiscard]] virtual std::string describe() const = 0; // library kernel, chunk
};

class ForwardPass : public Pass {
  public:
    /// y = w * x + bias; bias may be null.
    virtual void run(const Backend &on, const void *x, const void *w, const void *bias, void *y,
                     void *workspace) const = 0;
};

class DataPass : public Pass {
  public:
    virtual void run(const Backend &on, const void *w, const void *dy, void *dx,
                     void *workspace) const = 0;
};

class FilterPass : public Pass {
  public:
    /// sum = filter gradient, or sum += it when `accumulate`; sum is numbers.
    virtual void run(const Backend &on, const void *x, const void *dy, bool accumulate, void *sum,
                     void *workspace) const = 0;
};

/// A FilterPass whose x is probes, which nobody has to write down.
class ProbeFilterPass : public Pass {
  public:
    virtual void run(const Backend &on, const ProbeImages &z, const void *dy, bool accumulate,
                     void *sum, void *workspace) const = 0;
    /// run(), and ones [batch][Co][K], the filter of ones of dy; only where sums_ones().
    virtual void run_and_sum(const Backend & /*on*/, const ProbeImages & /*z*/, const void * /*dy*/,
                             bool /*accumulate*/, void * /*sum*/, void * /*ones*/,
                             void * /*workspace*/) const
    {
        fail(XCONV_INTERNAL, "{} does not sum ones", describe());
    }
    [[nodiscard]] virtual bool sums_ones() const { return false; }
};

/// What work with probes costs, in multiply-adds of a well-fed convolution.
struct ProbeCosts {
    double filter = 1;         // a multiply-add of the filter gradient of probes
    int64_t channel_block = 8; // to a multiple of which it pads channels
    double product = 1.5;      // a multiply-add of project, expand or combine
    double draw = 0;           // an entry of z that expand draws
};

class Backend {
  public:
    Backend() = default;
    Backend(const Backend &) = delete;
    Backend &operator=(const Backend &) = delete;
    virtual ~Backend() = default;

    /// Device and resources; a plan runs on any backend with an equal key.
    struct Key {
        xconv_device device;
        int32_t index;
        int32_t threads;
        bool tf32 = false;
        bool operator==(const Key &) const = default;
    };
    [[nodiscard]] virtual Key key() const = 0;

    /// Everything below happens between enter(), which makes the device the calling
    /// thread's own and lets no other thread in where that matters, and leave(),
    /// which gives back what was. ActiveBackend pairs them.
    virtual void enter() const {}
    virtual void leave() const noexcept {}
    /// Throw Error unless `pointer` is memory of the device.
    virtual void check_pointer(const void * /*pointer*/, const char * /*argument*/) const {}

    /// Bytes of a tensor that the next step still finds in the cache. More, where going by
    /// them would not pay.
    [[nodiscard]] virtual int64_t cached_bytes() const
    {
        return std::numeric_limits<int64_t>::max();
    }

    // --- exact passes. They aim to stay within `workspace_limit` bytes.
    [[nodiscard]] virtual std::unique_ptr<ForwardPass> forward(const ConvGeometry &geometry,
                                                               int64_t workspace_limit) const = 0;
    [[nodiscard]] virtual std::unique_ptr<DataPass>
    backward_data(const ConvGeometry &geometry, int64_t workspace_limit) const = 0;
    [[nodiscard]] virtual std::unique_ptr<FilterPass>
    backward_filter(const ConvGeometry &geometry, int64_t workspace_limit) const = 0;
    [[nodiscard]] virtual ProbeCosts probe_costs(const ConvGeometry & /*geometry*/,
                                                 Distribution /*distribution*/) const
    {
        return {};
    }
    /// Null where drawing the probes for a FilterPass is as good.
    [[nodiscard]] virtual std::unique_ptr<ProbeFilterPass>
    probe_filter(const ConvGeometry & /*geometry*/, Distribution /*distribution*/,
                 int64_t /*workspace_limit*/) const
    {
        return nullptr;
    }
    /// db[c] = sum of dy over batch and space + beta * db[c]; db is of db_dtype.
    virtual void backward_bias(const ConvGeometry &geometry, const void *dy, double beta,
                               Dtype db_dtype, void *db) const = 0;

    // --- the random projection
    /// out(i, j) = sum over p of x(i, p) * z(p, j): x is rows x length, out rows
    /// x probes. The value depends on neither the thread count nor other rows.
    /// And the means of x's channels, unless null.
    virtual void project(Dtype dtype, const Probes &probes, ConstMatrix x, Matrix out,
                         const ChannelMeans *means, void *workspace) const = 0;
    /// `channel` as in the means wanted, or 0 for none.
    [[nodiscard]] virtual int64_t project_workspace(Dtype dtype, int64_t rows, int64_t length,
                                                    int64_t columns, int64_t channel) const = 0;
    /// out(j, p) = z(place p of rows, j): one row of out for every probe.
    virtual void draw(Dtype compute, const Probes &probes, Runs rows, Matrix out) const = 0;
    /// out(i, p) = sum over j of coefficients(i, j) * z(place p of rows, j); and constants
    /// of the runs of `rows`, unless null.
    virtual void expand(Dtype compute, const Probes &probes, Runs rows, ConstMatrix coefficients,
                        const RunConstants *constants, Matrix out) const = 0;

    // --- mean deflation
    /// means(i, j) = mean over the places p of run i of z(p, j): a row for each run.
    virtual void probe_means(Dtype compute, const Probes &probes, Runs rows,
                             Matrix means) const = 0;
    /// sums [batch][Co][K] = the filter gradient of each sample for an input of
    /// ones with one channel: place k of the kernel meets x, and not its padding,
    /// at some of the outputs, and sums dy over these.
    virtual void filter_of_ones(const ConvGeometry &geometry, const void *dy, void *sums) const = 0;

    // --- few-bit storage (packing.hpp, packing_entry.hpp)
    /// packed = numbers [rows][numbers], each in a few bits.
    virtual void pack(Dtype dtype, const Packing &packing, const Rounding &rounding,
                      const void *numbers, void *packed) const = 0;
    /// out(i, p) = number `offset` + place p of `places` of row first + i.
    virtual void unpack(Dtype compute, const Packing &packing, const void *packed, int64_t first,
                        int64_t offset, Runs places, Matrix out) const = 0;

    // --- dense algebra
    /// out(j, m) = sum over b of coefficients(b, j) * in(b, place m of columns); in is
    /// of `dtype`.
    virtual void combine(Dtype dtype, ConstMatrix coefficients, ConstMatrix in, Runs columns,
                         Matrix out) const = 0;
    /// out = combine() of `places` of all channels of dy, [batch][Co * M]: whole rows of
    /// the slowest spatial axis. Once all places were given, in order, ones is the
    /// filter_of_ones() of dy.
    virtual void combine_and_sum(const ConvGeometry &geometry, Interval places,
                                 ConstMatrix coefficients, const void *dy, Matrix out,
                                 void *ones) const
    {
        const PlacesOfY in(geometry, places, dy);
        combine(geometry.dtype, coefficients, in.rows, in.columns, out);
        if (places.last == geometry.out_points()) {
            filter_of_ones(geometry, dy, ones);
        }
    }
    /// out = alpha a b, or out += it when `accumulate`; a and b are read transposed
    /// when their operand says so.
    virtual void multiply(Dtype compute, double alpha, Operand a, Operand b, bool accumulate,
                          Matrix out) const = 0;
    /// out[a][c][b][run] = in[a][b][c][run], or out += it when `accumulate`.
    virtual void transpose(Dtype compute, const void *in, int64_t a, int64_t b, int64_t c,
                           int64_t run, bool accumulate, void *out) const = 0;

    // --- moving results
    virtual void copy(const void *from, void *to, int64_t bytes) const = 0;
    /// to, in host memory, = from, when all that was asked for before is done: the
    /// one operation that waits.
    virtual void read(const void *from, void *to, int64_t bytes) const = 0;
    /// out(i, p) = in(i, place p of columns), from one element type to another.
    virtual void convert(Dtype from, ConstMatrix in, Runs columns, Dtype to, Matrix out) const = 0;
    /// dw = scale * sum + beta * dw over `runs` kernels of `kernel` elements; sum is
    /// numbers, and each kernel of it is read mirrored when `flip`. beta = 0 only
    /// writes dw.
    virtual void finish_filter(Dtype compute, int64_t runs, int64_t kernel, bool flip,
                               const void *sum, double scale, double beta, Dtype dw_dtype,
                               void *dw) const = 0;
    /// to = from with each run of `kernel` elements reversed, `runs` of them.
    virtual void mirror(Dtype dtype, const void *from, int64_t runs, int64_t kernel,
                        void *to) const = 0;

    // --- companions
    virtual void relu_forward(Dtype dtype, int64_t count, double negative_slope, double ceiling,
                              const void *x, void *y, uint8_t *mask) const = 0;
    virtual void relu_backward(Dtype dtype, int64_t count, double negative_slope,
                               const uint8_t *mask, const void *dy, void *dx) const = 0;
    virtual void maxpool_forward(const PoolGeometry &geometry, const void *x, void *y,
                                 uint8_t *index) const = 0;
    virtual void maxpool_backward(const PoolGeometry &geometry, const uint8_t *index,
                                  const void *dy, void *dx) const = 0;
};

/// A backend that has been entered, until the end of the scope.
class ActiveBackend {
  public:
    explicit ActiveBackend(const Backend &backend) : backend_(backend) { backend_.enter(); }
    ~ActiveBackend() { backend_.leave(); }
    ActiveBackend(const ActiveBackend &) = delete;
    ActiveBackend &operator=(const ActiveBackend &) = delete;
    operator const Backend &() const { return backend_; } // NOLINT: it stands for it

  private:
    const Backend &backend_;
};

/// The backends of this build, in one place (backend_list.cpp).
std::shared_ptr<const Backend> make_backend(const xconv_context_desc &desc);
/// One line for each: "cpu: oneDNN 2.6.3, ...".
const char *describe_backends();
/// The commit this was built from.
const char *git_hash();

} // namespace xconv
