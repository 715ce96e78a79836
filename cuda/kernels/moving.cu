#include "cuda/ops_moving.hpp"

#include <cstring>

#include "cuda/kernels/index.hpp"
#include "cuda/launch.hpp"

namespace xconv::cuda {

namespace {

template <class From, class To> struct Convert {
    const From *in;
    int64_t in_stride;
    Runs columns;
    int64_t width; // columns.total()
    To *out;
    int64_t out_stride;

    XCONV_DEVICE void operator()(int64_t i) const
    {
        const Quotient row = divide(i, width);
        int64_t column = row.remainder;
        if (columns.count > 1) {
            const Quotient run = divide(column, columns.length);
            column = run.quotient * columns.stride + run.remainder;
        }
        // From one 16-bit type to the other by way of Float32, which holds both.
        const auto value = static_cast<ComputeType<From>>(in[row.quotient * in_stride + column]);
        out[row.quotient * out_stride + row.remainder] =
            static_cast<To>(static_cast<ComputeType<To>>(value));
    }
};

template <class T> struct Transpose {
    const T *in;
    int64_t b, c, run;
    bool accumulate;
    T *out;

    /// i counts the output: writes of neighbours lie side by side.
    XCONV_DEVICE void operator()(int64_t i) const
    {
        const Quotient element = divide(i, run);
        const Quotient row = divide(element.quotient, b);
        const Quotient column = divide(row.quotient, c);
        const T value = in[((column.quotient * b + row.remainder) * c + column.remainder) * run +
                           element.remainder];
        out[i] = accumulate ? out[i] + value : value;
    }
};

template <class Number, class To> struct FinishFilter {
    const Number *sum;
    int64_t kernel;
    bool flip;
    Number scale, beta;
    To *dw;

    XCONV_DEVICE void operator()(int64_t i) const
    {
        int64_t from = i;
        if (flip) {
            const int64_t place = divide(i, kernel).remainder;
            from = i - place + (kernel - 1 - place);
        }
        Number value = scale * sum[from];
        if (beta != 0) {
            value += beta * static_cast<Number>(dw[i]);
        }
        dw[i] = static_cast<To>(static_cast<ComputeType<To>>(value));
    }
};

template <class T> struct Mirror {
    const T *from;
    int64_t kernel;
    T *to;

    XCONV_DEVICE void operator()(int64_t i) const
    {
        const int64_t place = divide(i, kernel).remainder;
        to[i] = from[i - place + (kernel - 1 - place)];
    }
};

#if defined(__CUDACC__)
void copy_bytes(Stream stream, const void *from, void *to, std::size_t bytes)
{
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
}
void read_bytes(Stream stream, const void *from, void *to, std::size_t bytes)
{
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}
#else
void copy_bytes(Stream, const void *from, void *to, std::size_t bytes)
{
    std::memcpy(to, from, bytes);
}
void read_bytes(Stream stream, const void *from, void *to, std::size_t bytes)
{
    copy_bytes(stream, from, to, bytes);
}
#endif

} // namespace

void copy(Stream stream, const void *from, void *to, int64_t bytes)
{
    if (bytes > 0) {
        copy_bytes(stream, from, to, static_cast<std::size_t>(bytes));
    }
}

void read(Stream stream, const void *from, void *to, int64_t bytes)
{
    read_bytes(stream, from, to, static_cast<std::size_t>(bytes));
}

void convert(Stream stream, Dtype from, ConstMatrix in, Runs columns, Dtype to, Matrix out)
{
    with_tensor_type(from, [&](auto from_tag) {
        using From = typename decltype(from_tag)::type;
        with_tensor_type(to, [&](auto to_tag) {
            using To = typename decltype(to_tag)::type;
            launch_elements(Convert<From, To>{static_cast<const From *>(in.data), in.stride,
                                              columns, columns.total(), static_cast<To *>(out.data),
                                              out.stride},
                            out.rows * columns.total(), stream);
        });
    });
}

void transpose(Stream stream, Dtype compute, const void *in, int64_t a, int64_t b, int64_t c,
               int64_t run, bool accumulate, void *out)
{
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        launch_elements(
            Transpose<T>{static_cast<const T *>(in), b, c, run, accumulate, static_cast<T *>(out)},
            a * b * c * run, stream);
    });
}

void finish_filter(Stream stream, Dtype compute, int64_t runs, int64_t kernel, bool flip,
                   const void *sum, double scale, double beta, Dtype dw_dtype, void *dw)
{
    with_type(compute, [&](auto tag) {
        using Number = typename decltype(tag)::type;
        with_tensor_type(dw_dtype, [&](auto dw_tag) {
            using To = typename decltype(dw_tag)::type;
            launch_elements(FinishFilter<Number, To>{static_cast<const Number *>(sum), kernel, flip,
                                                     static_cast<Number>(scale),
                                                     static_cast<Number>(beta),
                                                     static_cast<To *>(dw)},
                            runs * kernel, stream);
        });
    });
}

void mirror(Stream stream, Dtype dtype, const void *from, int64_t runs, int64_t kernel, void *to)
{
    with_tensor_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        launch_elements(Mirror<T>{static_cast<const T *>(from), kernel, static_cast<T *>(to)},
                        runs * kernel, stream);
    });
}

} // namespace xconv::cuda
