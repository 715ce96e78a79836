#include "cpu/matrix.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <type_traits>

#include "checked.hpp"
#include "cpu/gemm.hpp"
#include "cpu/parallel.hpp"
#include "cpu/simd.hpp"

namespace xconv::cpu {

namespace {

/// Below this many elements a loop is not worth waking other threads.
constexpr int64_t kGrain = int64_t{1} << 14;

int threads_for(int64_t elements, int threads)
{
    return static_cast<int>(std::clamp<int64_t>(elements / kGrain, 1, threads));
}

/// A matrix from a row and column on.
template <class T> cpu::Operand<T> operand(const xconv::Operand &o, int64_t i, int64_t j)
{
    return {row<T>(o.matrix, i) + j, o.matrix.stride, o.transposed ? Op::transpose : Op::none};
}

/// Rows or columns of a block of a product, at least so many. Threads share out whole
/// blocks, cut without regard to them, so that sums do not depend on their number.
int64_t block_length(int64_t length, int64_t least)
{
    constexpr int64_t unit = 48; // divides into the registers of every processor
    return std::max(std::min(round_up(ceil_div(length, 8), unit), 8 * unit), least);
}

} // namespace

void multiply(Dtype compute, double alpha, const xconv::Operand &a, const xconv::Operand &b,
              bool accumulate, Matrix out, int threads)
{
    const int64_t depth = a.transposed ? a.matrix.rows : a.matrix.cols;
    constexpr int64_t least = 96;
    const int64_t cols = std::min(block_length(out.cols, least), out.cols);
    const int64_t rows = block_length(out.rows, ceil_div(4 * least * least, cols));
    const int64_t across = ceil_div(out.cols, cols);
    const double steps =
        static_cast<double>(out.rows) * static_cast<double>(out.cols) * static_cast<double>(depth);
    const ThreadScope one_each(1);
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const auto block = [&](int64_t index) {
            const int64_t i = index / across * rows;
            const int64_t j = index % across * cols;
            gemm<T>(std::min(rows, out.rows - i), std::min(cols, out.cols - j), depth,
                    static_cast<T>(alpha),
                    operand<T>(a, a.transposed ? 0 : i, a.transposed ? i : 0),
                    operand<T>(b, b.transposed ? j : 0, b.transposed ? 0 : j), accumulate,
                    row<T>(out, i) + j, out.stride);
        };
        parallel_for(threads_worth(steps, threads), ceil_div(out.rows, rows) * across, block);
    });
}

namespace {

/// As std::copy_n, whose call would take longer than the kernel of a common filter.
template <class T> void copy_kernel(const T *from, int64_t run, T *to)
{
    switch (run) {
    case 1:
        *to = *from;
        return;
    case 9:
        std::copy_n(from, 9, to);
        return;
    case 27:
        std::copy_n(from, 27, to);
        return;
    default:
        std::copy_n(from, run, to);
    }
}

} // namespace

void transpose(Dtype compute, const void *in, int64_t a, int64_t b, int64_t c, int64_t run,
               bool accumulate, void *out, int threads)
{
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(threads_for(a * b * c * run, threads), a * c, [&](int64_t i) {
            const int64_t slice = i / c;
            const int64_t column = i % c;
            const T *from = static_cast<const T *>(in) + (slice * b * c + column) * run;
            T *to = static_cast<T *>(out) + (slice * c + column) * b * run;
            for (int64_t row = 0; row < b; ++row, from += c * run, to += run) {
                if (accumulate) {
                    std::transform(from, from + run, to, to, std::plus<>());
                }
                else {
                    copy_kernel(from, run, to);
                }
            }
        });
    });
}

void copy(const void *from, void *to, int64_t bytes, int threads)
{
    constexpr int64_t block = int64_t{1} << 20;
    parallel_for(threads, ceil_div(bytes, block), [&](int64_t i) {
        std::memcpy(static_cast<char *>(to) + i * block,
                    static_cast<const char *>(from) + i * block,
                    static_cast<size_t>(std::min(block, bytes - i * block)));
    });
}

namespace {

/// From one type to another, through the types that they are computed in.
template <class From, class To> void convert_run(const From *in, int64_t count, To *out)
{
    if constexpr (is_half<From> && std::is_same_v<To, float>) {
        best_simd_variant().halves<From>().widen(in, count, out);
    }
    else if constexpr (std::is_same_v<From, float> && is_half<To>) {
        best_simd_variant().halves<To>().narrow(in, count, out);
    }
    else {
        std::transform(in, in + count, out, [](From value) {
            return static_cast<To>(static_cast<ComputeType<To>>(ComputeType<From>(value)));
        });
    }
}

} // namespace

void convert(Dtype from, ConstMatrix in, Runs columns, Dtype to, Matrix out, int threads)
{
    with_tensor_type(from, [&](auto from_tag) {
        with_tensor_type(to, [&](auto to_tag) {
            using From = typename decltype(from_tag)::type;
            using To = typename decltype(to_tag)::type;
            const int threads_used = threads_for(in.rows * columns.total(), threads);
            parallel_for(threads_used, in.rows * columns.count, [&](int64_t task) {
                const int64_t row = task / columns.count;
                const int64_t run = task % columns.count;
                convert_run(static_cast<const From *>(in.data) + row * in.stride +
                                run * columns.stride,
                            columns.length,
                            static_cast<To *>(out.data) + row * out.stride + run * columns.length);
            });
        });
    });
}

void finish_filter(Dtype compute, int64_t runs, int64_t kernel, bool flip, const void *sum,
                   double scale, double beta, Dtype dw_dtype, void *dw, int threads)
{
    with_type(compute, [&](auto sum_tag) {
        with_tensor_type(dw_dtype, [&](auto dw_tag) {
            using T = typename decltype(sum_tag)::type;
            using Dw = typename decltype(dw_tag)::type;
            const T alpha = static_cast<T>(scale);
            const T keep = static_cast<T>(beta);
            parallel_for(threads_for(runs * kernel, threads), runs, [&](int64_t i) {
                const T *from = static_cast<const T *>(sum) + i * kernel;
                Dw *to = static_cast<Dw *>(dw) + i * kernel;
                for (int64_t k = 0; k < kernel; ++k) {
                    const T value = alpha * from[flip ? kernel - 1 - k : k];
                    const T total = keep == T(0) ? value : value + keep * static_cast<T>(to[k]);
                    to[k] = static_cast<Dw>(static_cast<ComputeType<Dw>>(total));
                }
            });
        });
    });
}

void mirror(Dtype dtype, const void *from, int64_t runs, int64_t kernel, void *to, int threads)
{
    with_tensor_type(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        parallel_for(threads_for(runs * kernel, threads), runs, [&](int64_t i) {
            const T *run = static_cast<const T *>(from) + i * kernel;
            std::reverse_copy(run, run + kernel, static_cast<T *>(to) + i * kernel);
        });
    });
}

} // namespace xconv::cpu
