// xconv.hpp as C++17: ownership, errors and arithmetic, on a layer so small that
// its gradients are written out here.
#include "xconv/xconv.hpp"
#include "xconv/xconv.hpp" // NOLINT: once more, to see that the include guard holds

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

int status_seen_from_a_second_file();

namespace {

using xconv::Bytes;
using xconv::ConstBytes;
using xconv::Conv;
using xconv::DType;
using xconv::Plan;
using xconv::Pool;
using xconv::Scheme;

static_assert(!std::is_copy_constructible_v<Plan> && std::is_nothrow_move_constructible_v<Plan>);
static_assert(!std::is_copy_constructible_v<xconv::Buffer>);
static_assert(std::is_convertible_v<std::vector<float> &, Bytes>);
static_assert(std::is_convertible_v<const std::vector<std::byte> &, ConstBytes>);
static_assert(!std::is_convertible_v<const std::vector<std::byte> &, Bytes>, "would drop const");
static_assert(!std::is_convertible_v<std::vector<std::string> &, Bytes>, "no plain bytes");
static_assert(std::is_convertible_v<std::vector<int64_t>, xconv::Axes>);
static_assert(!std::is_convertible_v<std::vector<double>, xconv::Axes>, "axes are integers");
static_assert(!std::is_convertible_v<const int64_t *, xconv::Axes>, "how many?");

int failures = 0;

void expect(bool holds, const char *what)
{
    if (!holds) {
        std::printf("does not hold: %s\n", what);
        ++failures;
    }
}

/// The action must throw an error of this status whose text contains `word`.
template <class Action> void refused(xconv_status status, const char *word, Action action)
{
    try {
        action();
    }
    catch (const xconv::error &e) {
        expect(e.status() == status, e.what());
        expect(std::strstr(e.what(), word) != nullptr, e.what());
        expect(std::strstr(e.what(), xconv_status_name(status)) != nullptr, e.what());
        return;
    }
    std::printf("not refused; expected a message with '%s'\n", word);
    ++failures;
}

/// Kernel (w0, w1) over three places: y = (x0 w0 + x1 w1, x1 w0 + x2 w1) + bias.
template <class T> Conv small_conv()
{
    return Conv(xconv::dtype_of<T>()).batch(1).channels(1, 1).in_size({3}).kernel(2);
}

template <class T> void arithmetic(const Scheme &scheme)
{
    const Plan plan(xconv::Context(1), small_conv<T>(), scheme);
    const std::array<T, 3> x{1, 2, 3};
    const std::array<T, 2> w{10, 1};
    const std::array<T, 2> dy{1, 4};
    const T bias = 100;
    std::array<T, 2> y{};
    std::array<T, 2> dw{7, 7};
    std::array<T, 3> dx{};
    T db = 1;
    xconv::Buffer kept = plan.new_sketch();
    xconv::Buffer work = plan.new_workspace();

    plan.forward(x.data(), w.data(), &bias, y.data(), 5, kept, work);
    expect(y == std::array<T, 2>{112, 123}, "forward with a bias");
    plan.forward(x.data(), w.data(), nullptr, y.data(), work);
    expect(y == std::array<T, 2>{12, 23}, "forward without a bias or sketch");
    plan.backward_data(w.data(), dy.data(), dx.data(), work);
    expect(dx == std::array<T, 3>{10, 41, 4}, "backward_data");
    plan.backward_bias(dy.data(), &db, 2);
    expect(db == T{7}, "backward_bias adds to 2 db");
    plan.backward_filter_exact(x.data(), dy.data(), dw.data(), work);
    expect(dw == std::array<T, 2>{9, 14}, "backward_filter_exact");
    plan.backward_filter_exact(x.data(), dy.data(), dw.data(), work, 1);
    expect(dw == std::array<T, 2>{18, 28}, "backward_filter_exact adds to dw");

    plan.backward_filter(kept, 5, dy.data(), dw.data(), work);
    std::vector<std::byte> alone(plan.sketch_bytes());
    std::array<T, 2> again{};
    plan.sketch(x.data(), 5, alone, work);
    plan.backward_filter(alone, 5, dy.data(), again.data(), work);
    expect(dw == again, "forward and sketch keep the same");
    plan.backward_filter(alone, 5, dy.data(), again.data(), work, 1);
    for (std::size_t i = 0; i < 2; ++i)
        expect(std::abs(again[i] - 2 * dw[i]) <= std::abs(dw[i]) / 1000,
               "backward_filter adds to dw");
    if (scheme.projection() == xconv::Projection::identity && scheme.desc().bits == 0)
        expect(dw == std::array<T, 2>{9, 14}, "the exact scheme gives the exact gradient");
    else
        expect(std::isfinite(dw[0]) && std::isfinite(dw[1]), "an estimate is a number");
}

/// Kernels of 3x3 over one image of this size, without padding.
Conv conv_of(const std::vector<int64_t> &size)
{
    return Conv().batch(1).channels(1, 1).in_size(size).kernel(3);
}

void queries()
{
    Plan plan(xconv::Context(1),
              Conv(DType::f64)
                  .batch(2)
                  .channels(4, 6)
                  .groups(2)
                  .in_size({5, 7})
                  .kernel({3, 2})
                  .padding({1, 0}, {1, 1}),
              Scheme::independent(3), {xconv::Contraction::x_first, 0});
    expect(plan.x_count() == 2 * 4 * 5 * 7, "x_count");
    expect(plan.w_count() == 6 * 2 * 3 * 2, "w_count");
    expect(plan.out_size() == std::vector<int64_t>{5, 7}, "out_size");
    expect(plan.y_count() == 2 * 6 * 5 * 7, "y_count");
    expect(plan.bias_count() == 6, "bias_count");
    expect(plan.sketch_bytes() == 2 * 4 * 3 * sizeof(double), "sketch_bytes");
    expect(plan.contraction() == xconv::Contraction::x_first, "the forced order is reported");
    const auto workspace = [](int64_t limit) {
        const auto conv = Conv(DType::f64).batch(64).channels(8, 8).in_size({32, 32}).kernel(3);
        return Plan(xconv::Context(1), conv, Scheme::exact(),
                    {xconv::Contraction::automatic, limit})
            .workspace_bytes();
    };
    expect(workspace(1) < workspace(0), "the workspace's limit is heard");
    expect(plan.context().threads() == 1, "threads");
    const std::string text = plan.describe();
    expect(!text.empty() && text.find('\0') == std::string::npos, "describe");
    const Plan moved = std::move(plan);
    expect(moved.describe() == text, "moving keeps the plan");
    refused(XCONV_INVALID_ARGUMENT, "plan",
            [&] { static_cast<void>(plan.sketch_bytes()); }); // NOLINT: moved from, on purpose
}

/// Sizes whose number a program learns as it runs.
void axes()
{
    const std::vector<int64_t> size{5, 7};
    const int both[] = {2, 1};
    const xconv_conv_desc conv = Conv()
                                     .batch(1)
                                     .channels(1, 1)
                                     .in_size(size)
                                     .kernel(std::vector<int>{3, 2})
                                     .stride(std::array<std::size_t, 2>{1, 4})
                                     .padding(both)
                                     .desc();
    expect(conv.rank == 2 && conv.in_size[0] == 5 && conv.in_size[1] == 7, "in_size");
    expect(conv.kernel[0] == 3 && conv.kernel[1] == 2, "a vector of int");
    expect(conv.stride[0] == 1 && conv.stride[1] == 4, "an array of size_t");
    expect(conv.pad_begin[0] == 2 && conv.pad_end[1] == 1, "an array of C");
    const Plan first(xconv::Context(1), conv_of(size));
    expect(Plan(xconv::Context(1), conv_of(first.out_size())).out_size() ==
               std::vector<int64_t>{1, 3},
           "one layer's out_size is the next one's in_size");
    refused(XCONV_INVALID_ARGUMENT, "not 4", [] { Conv().in_size(std::vector<int64_t>(4, 8)); });
    refused(XCONV_INVALID_ARGUMENT, "not 0", [] { Pool().in_size(std::vector<int64_t>()); });
    refused(XCONV_INVALID_ARGUMENT, "not 4", [] { Conv().kernel(std::vector<int>(4, 3)); });
    refused(XCONV_INVALID_ARGUMENT, "kernel",
            [&] { static_cast<void>(Pool().in_size(size).kernel(std::vector<int>{3}).desc()); });
}

void errors()
{
    const xconv::Context cpu(1);
    refused(XCONV_INVALID_ARGUMENT, "in_size",
            [&] { Plan(cpu, Conv().batch(1).channels(1, 1).kernel(3)); });
    refused(XCONV_INVALID_ARGUMENT, "kernel", [&] {
        Plan(cpu, Conv().batch(1).channels(1, 1).in_size({4, 4}).kernel({3, 3, 3}));
    });
    refused(XCONV_INVALID_ARGUMENT, "axes", [&] {
        Plan(cpu, Conv().batch(1).channels(1, 1).in_size({4, 4, 4, 4}).kernel(3));
    });
    refused(XCONV_INVALID_ARGUMENT, "batch",
            [&] { Plan(cpu, Conv().batch(-7).channels(1, 1).in_size({4}).kernel(3)); });
    refused(XCONV_INVALID_ARGUMENT, "probes",
            [&] { Plan(cpu, small_conv<float>(), Scheme::dense(0)); });
    const Plan plan(cpu, small_conv<float>(), Scheme::dense(2));
    xconv::Buffer kept = plan.new_sketch();
    xconv::Buffer work = plan.new_workspace();
    const double x[3] = {1, 2, 3};
    const float f[3] = {1, 2, 3};
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.sketch(x, 1, kept, work); });
    double d[3] = {};
    float g[3] = {};
    refused(XCONV_INVALID_ARGUMENT, "double",
            [&] { plan.forward(x, x, nullptr, d, 1, kept, work); });
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.forward(x, x, nullptr, d, work); });
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.backward_filter(kept, 1, x, g, work); });
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.backward_filter(kept, 1, f, d, work); });
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.backward_filter_exact(x, x, g, work); });
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.backward_filter_exact(f, f, d, work); });
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.backward_data(x, x, d, work); });
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.backward_bias(x, g); });
    refused(XCONV_INVALID_ARGUMENT, "double", [&] { plan.backward_bias(f, d); });
    refused(XCONV_BUFFER_TOO_SMALL, "sketch",
            [&] { plan.sketch(f, 1, Bytes(kept.data(), kept.size() - 1), work); });
    expect(status_seen_from_a_second_file() == XCONV_INVALID_ARGUMENT, "two files, one error type");
}

void companions()
{
    const xconv::Context cpu(1);
    const xconv::Relu relu(cpu, 3);
    xconv::Buffer mask = relu.new_mask();
    expect(mask.size() == 1, "one byte holds three bits");
    std::array<float, 3> a{-1, 2, 3};
    relu.forward(a.data(), a.data(), mask);
    expect(a == std::array<float, 3>{0, 2, 3}, "ReLU, in place");
    std::array<float, 3> d{4, 5, 6};
    relu.backward(mask, d.data(), d.data());
    expect(d == std::array<float, 3>{0, 5, 6}, "its gradient, in place");
    const xconv::Relu leaky(cpu, 3, 0.5);
    a = {-1, 2, 8};
    d = {4, 5, 6};
    leaky.forward(a.data(), a.data(), mask);
    leaky.backward(mask, d.data(), d.data());
    expect(a == std::array<float, 3>{-0.5F, 2, 8}, "leaky ReLU");
    expect(d == std::array<float, 3>{2, 5, 6}, "its gradient");
    const xconv::Relu capped(cpu, 3, 0, 6);
    a = {-1, 2, 8};
    d = {4, 5, 6};
    capped.forward(a.data(), a.data(), mask);
    capped.backward(mask, d.data(), d.data());
    expect(a == std::array<float, 3>{0, 2, 6}, "ReLU6");
    expect(d == std::array<float, 3>{0, 5, 0}, "its gradient");

    const xconv::MaxPool pool(
        cpu, Pool(DType::f64).batch(1).channels(1).in_size({2, 4}).kernel(2).stride(2));
    xconv::Buffer index = pool.new_index();
    expect(index.size() == 1, "two places of two bits each");
    const std::array<double, 8> x{1, 2, 8, 3, 4, 0, 5, 6};
    std::array<double, 2> y{};
    pool.forward(x.data(), y.data(), index);
    expect(y == std::array<double, 2>{4, 8}, "max pooling");
    const std::array<double, 2> dy{10, 20};
    std::array<double, 8> dx{};
    dx.fill(-1);
    pool.backward(index, dy.data(), dx.data());
    expect(dx == std::array<double, 8>{0, 0, 20, 0, 10, 0, 0, 0}, "its gradient");
    expect(pool.out_size() == std::vector<int64_t>{1, 2}, "its output size");
    refused(XCONV_INVALID_ARGUMENT, "float", [&] { pool.forward(a.data(), a.data(), nullptr); });
    refused(XCONV_INVALID_ARGUMENT, "float", [&] { pool.backward(index, a.data(), a.data()); });
}

void compositions()
{
    const xconv_scheme_desc desc = Scheme::independent(32).deflate_mean().bits(2).group(256).desc();
    expect(desc.projection == XCONV_INDEPENDENT && desc.probes == 32, "projection and probes");
    expect(desc.deflate_mean == 1 && desc.bits == 2 && desc.group == 256, "mean, bits and group");
    expect(Scheme::quantize(4).desc().projection == XCONV_IDENTITY, "quantize keeps all numbers");
    expect(Scheme::quantize(4).desc().bits == 4, "in so many bits");
    expect(Scheme::dense(8).bits(2).bits(0).deflate_mean(true).deflate_mean(false).name() ==
               "dense r=8",
           "each choice can be taken back");
    expect(Scheme::exact().name() == "exact" && Scheme::quantize(1).name() == "1 bit", "names");
    expect(Scheme::orthogonal(3, xconv::Distribution::uniform).deflate_mean().bits(8).name() ==
               "orthogonal r=3 uniform + mean + 8 bits",
           "a whole name");

    const xconv::Context cpu(1);
    const auto conv = Conv().batch(2).channels(3, 1).in_size({64}).kernel(3);
    const auto kept = [&](const Scheme &scheme) { return Plan(cpu, conv, scheme).sketch_bytes(); };
    expect(kept(Scheme::quantize(2).group(96)) == 2 * (3 * 64 / 4 + 2 * sizeof(float)),
           "2 bits each, and the bytes of a float for each of 2 groups");
    expect(kept(Scheme::dense(8).deflate_mean()) == 2 * (8 + 3) * sizeof(float),
           "probes and means");
    refused(XCONV_INVALID_ARGUMENT, "bits", [&] { kept(Scheme::quantize(3)); });
    refused(XCONV_INVALID_ARGUMENT, "deflate_mean", [&] { kept(Scheme::exact().deflate_mean()); });
    refused(XCONV_INVALID_ARGUMENT, "group", [&] { kept(Scheme::dense(2).bits(2).group(12)); });
}

void advice()
{
    const auto conv = Conv().batch(8).channels(2, 3).in_size({64}).kernel(3);
    std::vector<float> x(8 * 2 * 64);
    std::vector<float> dy(8 * 3 * 62);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i * i % 17);
    for (std::size_t i = 0; i < dy.size(); ++i)
        dy[i] = static_cast<float>(i * i % 23) - 7;
    const xconv::Context cpu(1);
    xconv::AdviseOptions options;
    options.seconds = 1e6;
    const auto all = xconv::advise(cpu, conv, x.data(), dy.data(), options);
    expect(all.x_bytes == 8 * 2 * 64 * 4 && all.schemes.back().kept_bytes == all.x_bytes,
           "the exact scheme keeps x");
    expect(all.batch_noise > 0 && all.recommended() != nullptr, "noise and recommendation");
    expect(all.table().find("* " + all.recommended()->scheme.name()) != std::string::npos,
           "the table marks what is recommended");
    std::vector<int64_t> bytes;
    for (const xconv::Advice &each : all)
        bytes.push_back(each.kept_bytes);
    expect(bytes.size() == all.schemes.size() && bytes.back() == all.x_bytes,
           "a loop over the list is one over its schemes");
    options.budget_bytes = 1000;
    const auto few = xconv::advise(cpu, conv, x.data(), dy.data(), options);
    expect(!few.schemes.empty() && few.schemes.size() < all.schemes.size(), "a budget");
    expect(few.schemes.back().kept_bytes <= 1000, "is kept");
    expect(Plan(cpu, conv, few.recommended()->scheme).sketch_bytes() <= 1000, "by the plan, too");
    options.budget_bytes = 1;
    expect(xconv::advise(cpu, conv, x.data(), dy.data(), options).recommended() == nullptr,
           "nothing fits in a byte");
    options.draws = 1;
    refused(XCONV_INVALID_ARGUMENT, "draws",
            [&] { static_cast<void>(xconv::advise(cpu, conv, x.data(), dy.data(), options)); });
}

struct Half {
    uint16_t bits;
};

} // namespace

template <> struct xconv::Element<Half> : xconv::ElementIs<DType::f16> {
};

namespace {

static_assert(xconv::dtype_of<Half>() == DType::f16 && xconv::element_size(DType::bf16) == 2);

void sixteen_bits()
{
    const auto conv = Conv(xconv::dtype_of<Half>()).in_size({3}).float32_dw();
    expect(conv.dw_dtype() == DType::f32 && conv.desc().float32_dw == 1, "dw in float");
    expect(Conv(DType::bf16).dw_dtype() == DType::bf16, "dw is of the tensors' type by itself");
    const Plan plan(xconv::Context(1), small_conv<double>());
    expect(plan.dw_dtype() == DType::f64 && plan.dw_bytes() == 16 && plan.db_bytes() == 8, "dw");
    const double x[3] = {1, 2, 3};
    float dw[2] = {};
    xconv::Buffer work = plan.new_workspace();
    refused(XCONV_INVALID_ARGUMENT, "float", [&] { plan.backward_filter_exact(x, x, dw, work); });
}

void all()
{
    for (const Scheme &scheme : {Scheme::exact(), Scheme::dense(4), Scheme::orthogonal(4),
                                 Scheme::independent(4, xconv::Distribution::gaussian),
                                 Scheme::quantize(2), Scheme::dense(4).deflate_mean().bits(1)}) {
        arithmetic<float>(scheme);
        arithmetic<double>(scheme);
    }
    queries();
    axes();
    errors();
    compositions();
    advice();
    sixteen_bits();
    companions();
    const std::string expected = std::to_string(XCONV_VERSION_MAJOR) + "." +
                                 std::to_string(XCONV_VERSION_MINOR) + "." +
                                 std::to_string(XCONV_VERSION_PATCH);
    expect(xconv::version() == expected, "the loaded library has the version of the header");
    expect(xconv::backends().find("cpu") == 0, "the CPU backend is there");
}

} // namespace

int main()
{
    try {
        all();
    }
    catch (const std::exception &error) {
        ++failures;
        std::printf("%s\n", error.what());
    }
    if (failures != 0)
        std::printf("%d failed\n", failures);
    return failures != 0;
}
