// The filter gradient of probes on matrix units, and the filter of ones beside it,
// against plain loops.
#include <random>
#include <vector>

#include "../catch.hpp"
#include "backend.hpp"
#include "cpu/conv_signs.hpp"
#include "cpu/cpu_backend.hpp"
#include "cpu/signs.hpp"
#include "sign_inputs.hpp"

using sign_inputs::draw_window;
using sign_inputs::Floats;
using sign_inputs::sign;
using sign_inputs::whole_numbers;
using xconv::Axes;
using xconv::ConvGeometry;
using xconv::Dtype;
using xconv::ProbeFilterPass;
using xconv::ProbeImages;
using xconv::Probes;
using xconv::cpu::SimdVariant;

namespace {

/// Says so where there are none.
bool units_here()
{
    const bool found = xconv::cpu::signs::available();
    if (!found) {
        WARN("this processor has no matrix units");
    }
    return found;
}

/// A convolution with stride 1 of the given sizes.
ConvGeometry geometry(int64_t batch, int64_t in_channels, int64_t out_channels, Axes in,
                      Axes kernel, Axes pad_begin, Axes pad_end, Axes dilation = {1, 1, 1})
{
    ConvGeometry g;
    g.rank = 3;
    g.batch = batch;
    g.in_channels = in_channels;
    g.out_channels = out_channels;
    g.in = in;
    g.kernel = kernel;
    g.pad_begin = pad_begin;
    g.pad_end = pad_end;
    g.dilation = dilation;
    for (size_t axis = 0; axis < 3; ++axis) {
        g.out[axis] =
            in[axis] + pad_begin[axis] + pad_end[axis] - dilation[axis] * (kernel[axis] - 1);
    }
    g.x_channel = g.in_points();
    g.y_channel = g.out_points() + 3; // as in a band of a larger tensor
    return g;
}

/// Element (co, ci, tap) of the gradient of sample n, where x(ci, place) is inside the image.
template <class X>
float plain_element(const ConvGeometry &g, const Floats &dy, int64_t n, int64_t co, int64_t tap,
                    X &&x)
{
    const Axes k{tap / (g.kernel[1] * g.kernel[2]), tap / g.kernel[2] % g.kernel[1],
                 tap % g.kernel[2]};
    float sum = 0;
    for (int64_t m = 0; m < g.out_points(); ++m) {
        const Axes o{m / (g.out[1] * g.out[2]), m / g.out[2] % g.out[1], m % g.out[2]};
        Axes at{};
        bool inside = true;
        for (size_t axis = 0; axis < 3; ++axis) {
            at[axis] = o[axis] + g.dilation[axis] * k[axis] - g.pad_begin[axis];
            inside = inside && at[axis] >= 0 && at[axis] < g.in[axis];
        }
        if (inside) {
            sum += x((at[0] * g.in[1] + at[1]) * g.in[2] + at[2]) *
                   dy[static_cast<size_t>((n * g.out_channels + co) * g.y_channel + m)];
        }
    }
    return sum;
}

/// dw[co][ci][tap] of probes.
Floats plain_filter(const ConvGeometry &g, const ProbeImages &z, const Floats &dy)
{
    Floats dw;
    for (int64_t co = 0; co < g.out_channels; ++co) {
        for (int64_t ci = 0; ci < g.in_channels; ++ci) {
            for (int64_t tap = 0; tap < g.kernel_points(); ++tap) {
                float sum = 0;
                for (int64_t n = 0; n < g.batch; ++n) {
                    sum += plain_element(g, dy, n, co, tap, [&](int64_t place) {
                        return sign(z.window, ci * z.channel_rows + place,
                                    ci * z.channel_columns + n * z.image_columns);
                    });
                }
                dw.push_back(sum);
            }
        }
    }
    return dw;
}

/// ones[co][tap] of one sample.
Floats plain_ones(const ConvGeometry &g, const Floats &dy)
{
    Floats ones;
    for (int64_t co = 0; co < g.out_channels; ++co) {
        for (int64_t tap = 0; tap < g.kernel_points(); ++tap) {
            ones.push_back(plain_element(g, dy, 0, co, tap, [](int64_t) { return 1.0F; }));
        }
    }
    return ones;
}

/// Runs passes on memory that they must overwrite, and must not leave.
class Runner {
  public:
    Runner(const ProbeFilterPass &pass, const ProbeImages &z, const Floats &dy)
        : pass_(pass), z_(z), dy_(dy), workspace_(static_cast<size_t>(pass.workspace()), 'x'),
          backend_(xconv::cpu::make_cpu_backend(XCONV_CONTEXT_DESC_INIT))
    {
    }

    void run(bool accumulate, Floats &dw)
    {
        pass_.run(*backend_, z_, dy_.data(), accumulate, dw.data(), workspace_.data());
    }
    void run_and_sum(bool accumulate, Floats &dw, Floats &ones)
    {
        pass_.run_and_sum(*backend_, z_, dy_.data(), accumulate, dw.data(), ones.data(),
                          workspace_.data());
    }

  private:
    const ProbeFilterPass &pass_;
    ProbeImages z_;
    const Floats &dy_;
    std::vector<char> workspace_;
    std::shared_ptr<const xconv::Backend> backend_; // the pass uses none, and takes one
};

Floats doubled(Floats values)
{
    for (float &value : values) {
        value *= 2;
    }
    return values;
}

/// Numbers are whole, so that sums are exact in any order.
void check_filter(const ConvGeometry &g, std::mt19937_64 &bits)
{
    const Floats dy = whole_numbers(g.y_count(), 200, bits);
    const Probes window = draw_window(bits);
    // Images as in dense probing, with rows between the channels, and as in independent.
    for (const ProbeImages &z :
         {ProbeImages{window, g.in_points() + 7, 0, 1}, ProbeImages{window, 0, 1, g.in_channels}}) {
        const Floats once = plain_filter(g, z, dy);
        for (const int threads : {1, 2, 3}) {
            const auto pass = xconv::cpu::make_sign_filter(g, int64_t{1} << 30, threads,
                                                           xconv::cpu::best_simd_variant());
            REQUIRE(pass != nullptr);
            INFO(g.describe() << ", " << pass->describe());
            Runner runner(*pass, z, dy);
            Floats dw(once.size(), 0.5F);
            runner.run(false, dw);
            REQUIRE(dw == once);
            runner.run(true, dw);
            REQUIRE(dw == doubled(once));
        }
    }
}

/// With channels enough that threads share them out.
void check_ones(const ConvGeometry &g, std::mt19937_64 &bits)
{
    const Floats dy = whole_numbers(g.y_count(), 200, bits);
    const ProbeImages z{draw_window(bits), 0, 1, g.in_channels};
    const Floats once = plain_filter(g, z, dy);
    Floats expected = plain_ones(g, dy);
    expected.push_back(0.5F); // not touched
    for (const int threads : {1, 2, 3}) {
        const auto pass = xconv::cpu::make_sign_filter(g, int64_t{1} << 30, threads,
                                                       xconv::cpu::best_simd_variant());
        REQUIRE(pass != nullptr);
        INFO(g.describe() << ", " << pass->describe());
        REQUIRE(pass->sums_ones());
        Runner runner(*pass, z, dy);
        Floats dw(once.size(), 0.5F);
        Floats ones(expected.size(), 0.5F);
        runner.run_and_sum(false, dw, ones);
        REQUIRE(dw == once);
        REQUIRE(ones == expected);
        runner.run_and_sum(true, dw, ones);
        REQUIRE(dw == doubled(once));
        REQUIRE(ones == expected);
    }
}

} // namespace

TEST_CASE("filter gradients of probes are those of the definition", "[signs]")
{
    if (!units_here()) {
        return;
    }
    std::mt19937_64 bits(5);
    check_filter(geometry(1, 1, 1, {1, 1, 1}, {1, 1, 1}, {}, {}), bits);
    check_filter(geometry(2, 3, 5, {1, 1, 70}, {1, 1, 4}, {0, 0, 1}, {0, 0, 2}), bits);
    check_filter(geometry(3, 17, 4, {1, 7, 5}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1}), bits);
    check_filter(geometry(2, 2, 33, {1, 9, 6}, {1, 2, 3}, {0, 2, 0}, {0, 0, 1}, {1, 2, 2}), bits);
    check_filter(geometry(2, 4, 3, {4, 5, 6}, {3, 2, 3}, {1, 0, 1}, {0, 1, 1}), bits);
    // Rows of whole steps, in one strip and in several.
    check_filter(geometry(2, 5, 18, {1, 6, 32}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1}), bits);
    check_filter(geometry(2, 2, 2, {1, 40, 64}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1}), bits);
    check_filter(geometry(1, 2, 2, {1, 50, 41}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1}), bits);
    // No padding, so that nothing lies between the rows.
    check_filter(geometry(2, 3, 4, {1, 12, 13}, {1, 1, 1}, {}, {}), bits);
}

TEST_CASE("filter gradients of probes come in groups of channels", "[signs]")
{
    if (!units_here()) {
        return;
    }
    std::mt19937_64 bits(7);
    // Sums of more channels than a cache holds.
    check_filter(geometry(2, 200, 36, {2, 3, 3}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}), bits);

    // And of more than there is room for.
    const ConvGeometry g = geometry(1, 16, 36, {2, 3, 3}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1});
    const SimdVariant &simd = xconv::cpu::best_simd_variant();
    const auto whole = xconv::cpu::make_sign_filter(g, int64_t{1} << 30, 1, simd);
    const auto cut = xconv::cpu::make_sign_filter(g, whole->workspace() - 1, 1, simd);
    REQUIRE(cut != nullptr);
    REQUIRE(cut->workspace() < whole->workspace());
    const Floats dy = whole_numbers(g.y_count(), 200, bits);
    const ProbeImages z{draw_window(bits), 0, 1, g.in_channels};
    Floats dw(static_cast<size_t>(g.w_count()), 0.5F);
    Runner(*cut, z, dy).run(false, dw);
    REQUIRE(dw == plain_filter(g, z, dy));
}

TEST_CASE("sums of ones keep to groups that there is room for", "[signs]")
{
    if (!units_here()) {
        return;
    }
    std::mt19937_64 bits(8);
    // Several strips, so that a group's channels stay open.
    const ConvGeometry g =
        geometry(1, 2, 9 * xconv::cpu::signs::kLanes, {1, 40, 64}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1});
    const SimdVariant &simd = xconv::cpu::best_simd_variant();
    const auto whole = xconv::cpu::make_sign_filter(g, int64_t{1} << 30, 1, simd);
    const auto cut = xconv::cpu::make_sign_filter(g, whole->workspace() - 1, 1, simd);
    REQUIRE(cut != nullptr);
    REQUIRE(cut->workspace() < whole->workspace());
    REQUIRE(cut->sums_ones());
    const Floats dy = whole_numbers(g.y_count(), 200, bits);
    const ProbeImages z{draw_window(bits), 0, 1, g.in_channels};
    Floats dw(static_cast<size_t>(g.w_count()), 0.5F);
    Floats ones(static_cast<size_t>(g.out_channels * g.kernel_points()), 0.5F);
    Runner(*cut, z, dy).run_and_sum(false, dw, ones);
    REQUIRE(dw == plain_filter(g, z, dy));
    REQUIRE(ones == plain_ones(g, dy));
}

TEST_CASE("the filter of ones comes with the filter gradient of probes", "[signs]")
{
    if (!units_here()) {
        return;
    }
    std::mt19937_64 bits(6);
    // An odd number of blocks of channels, the last one not full.
    constexpr int64_t channels = 24 * xconv::cpu::signs::kLanes + 5;
    check_ones(geometry(1, 2, channels, {1, 9, 7}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1}), bits);
    check_ones(geometry(1, 1, channels, {1, 6, 32}, {1, 3, 2}, {0, 2, 0}, {0, 0, 1}), bits);
    check_ones(geometry(1, 1, channels, {1, 1, 90}, {1, 1, 4}, {0, 0, 1}, {0, 0, 2}), bits);
    check_ones(geometry(1, 1, channels, {3, 6, 7}, {2, 2, 3}, {1, 0, 1}, {0, 1, 1}), bits);
    check_ones(geometry(1, 1, channels, {1, 4, 5}, {1, 1, 1}, {}, {}), bits);
    // Several strips: of whole rows, and with strips that end within rows; rows so long
    // that not all of a thread's channels stay open.
    check_ones(geometry(1, 1, channels, {1, 40, 64}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1}), bits);
    check_ones(geometry(1, 1, channels, {1, 31, 41}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1}), bits);
    check_ones(geometry(1, 1, channels, {5, 17, 19}, {3, 2, 2}, {1, 0, 1}, {1, 1, 0}), bits);
    check_ones(geometry(1, 1, channels, {1, 4, 700}, {1, 2, 2}, {0, 1, 0}, {0, 0, 1}), bits);
}

TEST_CASE("only where samples and strips are not shared out", "[signs]")
{
    const auto sums = [](const ConvGeometry &g, int threads) {
        const auto pass = xconv::cpu::make_sign_filter(g, int64_t{1} << 30, threads,
                                                       xconv::cpu::best_simd_variant());
        return pass != nullptr && pass->sums_ones();
    };
    const ConvGeometry wide = geometry(1, 4, 512, {1, 16, 16}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1});
    REQUIRE(sums(wide, 2) == xconv::cpu::signs::available());
    REQUIRE_FALSE(sums(wide.with_batch(2), 2));
    ConvGeometry narrow = geometry(1, 4, 16, {1, 256, 256}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1});
    REQUIRE_FALSE(sums(narrow, 2));
}

TEST_CASE("filter gradients of probes leave the rest to others", "[signs]")
{
    const ConvGeometry plain = geometry(1, 4, 4, {1, 8, 8}, {1, 3, 3}, {0, 1, 1}, {0, 1, 1});
    REQUIRE(xconv::cpu::takes_signs(plain) == xconv::cpu::signs::available());
    ConvGeometry other = plain;
    other.groups = 2;
    REQUIRE_FALSE(xconv::cpu::takes_signs(other));
    other = plain;
    other.stride = {1, 2, 1};
    REQUIRE_FALSE(xconv::cpu::takes_signs(other));
    other = plain;
    other.dtype = Dtype::f64;
    REQUIRE_FALSE(xconv::cpu::takes_signs(other));
    REQUIRE(xconv::cpu::make_sign_filter(plain, 1, 1, xconv::cpu::best_simd_variant()) == nullptr);
}
