// The random projection's kernels, run on the CPU, against plain loops over
// probe_entry().
#include "cuda/ops_probes.hpp"
#include "kernel_cases.hpp"

namespace cuda = xconv::cuda;
using namespace kernel_cases;

namespace {

constexpr xconv::cuda::Stream stream = nullptr;

struct ProjectCase {
    int64_t rows;
    int64_t length;
    int64_t stride;
    int64_t columns;
    Probes probes;
    bool integers;
};

/// project() in a workspace of the size asked for, with as much behind it that has to
/// stay as it is.
void project_guarded(Dtype dtype, const Probes &probes, const xconv::ConstMatrix &x,
                     const xconv::Matrix &out)
{
    const auto bytes =
        static_cast<size_t>(cuda::project_workspace(dtype, x.rows, x.cols, out.cols));
    constexpr std::byte untouched{0xA5};
    std::vector<std::byte> workspace(2 * bytes, untouched);
    cuda::project(stream, dtype, probes, x, out, workspace.data());
    REQUIRE(std::all_of(workspace.begin() + static_cast<std::ptrdiff_t>(bytes), workspace.end(),
                        [](std::byte byte) { return byte == untouched; }));
}

template <class X>
std::vector<ComputeType<X>> run_project(const Probes &probes, const X *x, int64_t rows,
                                        int64_t length, int64_t stride, int64_t columns)
{
    using T = ComputeType<X>;
    std::vector<T> out(static_cast<size_t>(rows * columns));
    project_guarded(dtype_of<X>(), probes, {x, rows, length, stride},
                    {out.data(), rows, columns, columns});
    return out;
}

template <class X> void check_project(Random &random, const ProjectCase &c)
{
    using T = ComputeType<X>;
    const Dtype dtype = dtype_of<X>();
    const Dtype compute = xconv::compute_dtype(dtype);
    const int64_t count = span(c.rows, c.length, c.stride);
    const auto x = c.integers ? random.integers<X>(count) : random.normals<X>(count);
    Output<T> out(c.rows, c.columns, c.columns + 3);
    project_guarded(dtype, c.probes, {x.data(), c.rows, c.length, c.stride}, out.matrix());
    std::vector<double> z(static_cast<size_t>(c.columns * c.length));
    for (int64_t j = 0; j < c.columns; ++j) {
        for (int64_t p = 0; p < c.length; ++p) {
            z[static_cast<size_t>(j * c.length + p)] = entry(c.probes, compute, p, j);
        }
    }
    const bool exact = c.integers && c.probes.distribution == Distribution::rademacher;
    const double tolerance = exact ? 0 : rounding(compute, c.length) * 4;
    out.check(
        fmt::format("{} rows {} length {} columns {}", xconv::dtype_name(dtype), c.rows, c.length,
                    c.columns),
        [&](int64_t i, int64_t j) {
            double sum = 0;
            for (int64_t p = 0; p < c.length; ++p) {
                sum += static_cast<double>(x[static_cast<size_t>(i * c.stride + p)]) *
                       z[static_cast<size_t>(j * c.length + p)];
            }
            return sum;
        },
        [&](int64_t, int64_t) { return tolerance; });
}

template <class T> void check_draw(Random &random, const Probes &probes)
{
    const int64_t length = random.one_of<int64_t>({1, 4, 30, 128, 700});
    const Runs runs{random.between(1, 4), length, length + random.one_of<int64_t>({0, 1, 4, 300})};
    const int64_t columns = random.one_of<int64_t>({1, 3, 16, 20});
    const Dtype compute = dtype_of<T>();
    Output<T> out(columns, runs.total(), runs.total() + random.one_of<int64_t>({0, 1, 4}));
    cuda::draw(stream, compute, probes, runs, out.matrix());
    out.check(
        fmt::format("draw {} runs of {}", runs.count, runs.length),
        [&](int64_t j, int64_t p) { return entry(probes, compute, position(runs, p), j); },
        [](int64_t, int64_t) { return 0.0; });
}

template <class T> void check_expand(Random &random, const Probes &probes)
{
    const int64_t length = random.one_of<int64_t>({1, 4, 30, 128, 700});
    const Runs runs{random.between(1, 4), length, length + random.one_of<int64_t>({0, 1, 4, 300})};
    const int64_t rows = random.one_of<int64_t>({1, 7, 64, 65, 140, 260});
    const int64_t columns = random.one_of<int64_t>({1, 3, 16, 32, 37});
    const int64_t stride = columns + random.between(0, 2);
    const Dtype compute = dtype_of<T>();
    const auto c = random.integers<T>(span(rows, columns, stride));
    const bool begins = random.between(0, 1) == 1;
    const int64_t constants_stride = runs.count + random.between(0, 2);
    const auto constants = random.integers<T>(span(rows, runs.count, constants_stride));
    const RunConstants begin{3, {constants.data(), rows, runs.count, constants_stride}};
    Output<T> out(rows, runs.total(), runs.total() + random.one_of<int64_t>({0, 1, 4}));
    cuda::expand(stream, compute, probes, runs, {c.data(), rows, columns, stride},
                 begins ? &begin : nullptr, out.matrix());
    const bool exact = probes.distribution == Distribution::rademacher;
    const double tolerance = exact ? 0 : 3 * rounding(compute, columns);
    out.check(
        fmt::format("expand {} x {}, {} runs of {}", rows, columns, runs.count, runs.length),
        [&](int64_t i, int64_t p) {
            const int64_t constant = i * constants_stride + p / runs.length;
            double sum = begins ? 3.0 * constants[static_cast<size_t>(constant)] : 0;
            for (int64_t j = 0; j < columns; ++j) {
                sum += static_cast<double>(c[static_cast<size_t>(i * stride + j)]) *
                       entry(probes, compute, position(runs, p), j);
            }
            return sum;
        },
        [&](int64_t, int64_t) { return tolerance; });
}

template <class X> void check_combine(Random &random)
{
    using T = ComputeType<X>;
    const int64_t length = random.one_of<int64_t>({1, 4, 30, 256, 700});
    const Runs runs{random.between(1, 4), length, length + random.one_of<int64_t>({0, 1, 4, 300})};
    const int64_t depth = random.one_of<int64_t>({1, 4, 63, 64, 130});
    const int64_t columns = random.one_of<int64_t>({1, 3, 16, 17, 40});
    const int64_t wide = (runs.count - 1) * runs.stride + runs.length;
    const int64_t in_stride = wide + random.one_of<int64_t>({0, 1, 4});
    const int64_t c_stride = columns + random.between(0, 2);
    const auto in = random.integers<X>(span(depth, wide, in_stride));
    const auto c = random.integers<T>(span(depth, columns, c_stride));
    Output<T> out(columns, runs.total(), runs.total() + random.one_of<int64_t>({0, 1, 4}));
    cuda::combine(stream, dtype_of<X>(), {c.data(), depth, columns, c_stride},
                  {in.data(), depth, wide, in_stride}, runs, out.matrix());
    out.check(
        fmt::format("combine {} x {}, {} runs of {}", depth, columns, runs.count, runs.length),
        [&](int64_t j, int64_t p) {
            double sum = 0;
            for (int64_t b = 0; b < depth; ++b) {
                sum +=
                    static_cast<double>(c[static_cast<size_t>(b * c_stride + j)]) *
                    static_cast<double>(in[static_cast<size_t>(b * in_stride + position(runs, p))]);
            }
            return sum;
        },
        [](int64_t, int64_t) { return 0.0; });
}

Probes random_window(Random &random, Distribution distribution)
{
    return {random.seed(), distribution, random.one_of<int64_t>({0, 0, 1, 4, 127, 128, 1000, 3003}),
            random.one_of<int64_t>({0, 5})};
}

} // namespace

TEMPLATE_TEST_CASE("project sums x against z", "[project]", float, double, xconv::Float16,
                   xconv::BFloat16)
{
    Random random(11);
    for (const Distribution distribution : distributions) {
        for (int i = 0; i < 30; ++i) {
            const int64_t length = random.one_of<int64_t>({1, 49, 128, 500, 513, 1026, 5003});
            const ProjectCase c{random.one_of<int64_t>({1, 3, 8, 9, 33, 65}),
                                length,
                                length + random.one_of<int64_t>({0, 1, 4}),
                                random.one_of<int64_t>({1, 5, 16, 17, 33}),
                                random_window(random, distribution),
                                i % 3 != 0};
            check_project<TestType>(random, c);
        }
    }
}

TEMPLATE_TEST_CASE("A projection has the same bits whatever else is projected", "[project]", float,
                   double)
{
    Random random(12);
    const int64_t length = 2500;
    const int64_t columns = 18;
    const int64_t rows = 70;
    const Probes probes{5, Distribution::gaussian, 3, 0};
    const auto x = random.normals<TestType>(rows * length);
    const auto all = run_project(probes, x.data(), rows, length, length, columns);
    for (const int64_t some : {1, 4, 9, 17, 40}) {
        for (int64_t first = 0; first + some <= rows; first += 31) {
            const auto part =
                run_project(probes, x.data() + first * length, some, length, length, columns);
            REQUIRE(std::equal(part.begin(), part.end(), all.begin() + first * columns));
        }
    }
}

TEMPLATE_TEST_CASE("project takes few columns at a time when sums grow large", "[project]", float,
                   double)
{
    // 2048 rows x 2 segments x 1840 columns of sums are more than 28 MiB. Windows that
    // begin within a block have a segment more than others of some lengths.
    constexpr Dtype dtype = dtype_of<TestType>();
    Random random(13);
    const int64_t rows = 2048;
    const int64_t columns = 1840;
    for (const auto &[length, first] : {std::pair<int64_t, int64_t>{400, 127}, {900, 0}}) {
        const Probes probes{9, Distribution::rademacher, first, 3};
        CHECK(cuda::project_workspace(dtype, rows, length, columns) <
              rows * 2 * columns * xconv::element_bytes(dtype));
        const auto x = random.integers<TestType>(rows * length);
        const auto out = run_project(probes, x.data(), rows, length, length, columns);
        for (int check = 0; check < 200; ++check) {
            const int64_t i = random.between(0, rows - 1);
            const int64_t j = check == 0 ? columns - 1 : random.between(0, columns - 1);
            double sum = 0;
            for (int64_t p = 0; p < length; ++p) {
                sum += static_cast<double>(x[static_cast<size_t>(i * length + p)]) *
                       entry(probes, dtype, p, j);
            }
            REQUIRE(static_cast<double>(out[static_cast<size_t>(i * columns + j)]) == sum);
        }
    }
}

TEMPLATE_TEST_CASE("draw writes entries of z", "[draw]", float, double)
{
    Random random(21);
    for (const Distribution distribution : distributions) {
        for (int i = 0; i < 40; ++i) {
            check_draw<TestType>(random, random_window(random, distribution));
        }
    }
}

TEMPLATE_TEST_CASE("expand sums coefficients against z", "[expand]", float, double)
{
    Random random(31);
    for (const Distribution distribution : distributions) {
        for (int i = 0; i < 25; ++i) {
            check_expand<TestType>(random, random_window(random, distribution));
        }
    }
}

TEMPLATE_TEST_CASE("combine sums rows by coefficients", "[combine]", float, double, xconv::Float16,
                   xconv::BFloat16)
{
    Random random(41);
    for (int i = 0; i < 40; ++i) {
        check_combine<TestType>(random);
    }
}
