// Does the error of an estimate fall to the rounding of 16-bit arithmetic, and at
// how many probes? For r = 4, 8, ... the relative error |estimate - dw| / |dw| of
// dense and independent probing in Float16, BFloat16 and Float32, beside three
// errors that come with 16 bits and an exact convolution:
//   stored     one rounding of dw, which is all that XConv's exact pass does
//   tensors    dw of x and dy that were rounded to 16 bits, against dw before
//   summed     every product and every partial sum rounded to 16 bits, one by one
// and `meets`: the r at which the estimate's error, which falls as r^(-1/2), would
// reach each. Writes CSV to standard output; takes under a minute on one core.
//     half_precision > half_precision.csv
#include <xconv/xconv.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <random>
#include <vector>

#include "half.hpp"

template <> struct xconv::Element<xconv::Float16> : xconv::ElementIs<xconv::DType::f16> {
};
template <> struct xconv::Element<xconv::BFloat16> : xconv::ElementIs<xconv::DType::bf16> {
};

namespace {

using Tensor = std::vector<double>;

constexpr int64_t kBatch = 16;
constexpr int64_t kChannels = 8;
constexpr int64_t kSize = 16;
constexpr int64_t kKernel = 3;
constexpr int64_t kPlane = kSize * kSize;
constexpr int64_t kFilter = kChannels * kChannels * kKernel * kKernel;
constexpr int kMostProbes = 4096;
constexpr uint64_t kDraws = 8;

/// visit(entry of w, place in x, place in y) for every product of the convolution.
template <class Visit> void each_product(const Visit &visit)
{
    for (int64_t b = 0; b < kBatch; ++b) {
        for (int64_t entry = 0; entry < kFilter; ++entry) {
            const int64_t co = entry / (kChannels * kKernel * kKernel);
            const int64_t ci = entry / (kKernel * kKernel) % kChannels;
            const int64_t kh = entry / kKernel % kKernel - 1;
            const int64_t kw = entry % kKernel - 1;
            for (int64_t h = std::max<int64_t>(0, -kh); h < std::min(kSize, kSize - kh); ++h) {
                for (int64_t w = std::max<int64_t>(0, -kw); w < std::min(kSize, kSize - kw); ++w) {
                    visit(static_cast<size_t>(entry),
                          static_cast<size_t>((b * kChannels + ci) * kPlane + (h + kh) * kSize + w +
                                              kw),
                          static_cast<size_t>((b * kChannels + co) * kPlane + h * kSize + w));
                }
            }
        }
    }
}

template <class T> Tensor rounded(const Tensor &values)
{
    Tensor out;
    for (const double value : values) {
        out.push_back(static_cast<double>(static_cast<float>(T(static_cast<float>(value)))));
    }
    return out;
}

Tensor gradient(const Tensor &x, const Tensor &dy)
{
    Tensor dw(kFilter, 0.0);
    each_product([&](size_t e, size_t i, size_t o) { dw[e] += x[i] * dy[o]; });
    return dw;
}

template <class T> Tensor gradient_summed_in(const Tensor &x, const Tensor &dy)
{
    std::vector<T> dw(kFilter);
    each_product([&](size_t e, size_t i, size_t o) {
        const T product(static_cast<float>(x[i] * dy[o]));
        dw[e] = T(static_cast<float>(dw[e]) + static_cast<float>(product));
    });
    return {dw.begin(), dw.end()};
}

double relative_error(const Tensor &values, const Tensor &exact)
{
    double error = 0;
    double size = 0;
    for (size_t i = 0; i < exact.size(); ++i) {
        error += (values[i] - exact[i]) * (values[i] - exact[i]);
        size += exact[i] * exact[i];
    }
    return std::sqrt(error / size);
}

struct Data {
    const char *name;
    Tensor x, dy;
};

/// Activations after a ReLU; cotangents that know nothing of them, or that are
/// mostly a convolution of them, as late in training or early.
std::array<Data, 2> data_sets()
{
    std::mt19937_64 random(20260628);
    std::normal_distribution<double> normal;
    const auto draw = [&](int64_t count) {
        Tensor values(static_cast<size_t>(count));
        for (double &value : values) {
            value = normal(random);
        }
        return values;
    };
    Tensor x = draw(kBatch * kChannels * kPlane);
    for (double &value : x) {
        value = std::max(value, 0.0);
    }
    const Tensor w = draw(kFilter);
    const Tensor noise = draw(kBatch * kChannels * kPlane);
    Tensor dy = noise;
    each_product([&](size_t e, size_t i, size_t o) { dy[o] += w[e] * x[i]; });
    return {{{"independent", x, noise}, {"correlated", x, dy}}};
}

class Layer {
  public:
    Layer(xconv::DType dtype, const xconv::Scheme &scheme)
        : plan_(xconv::Context(1),
                xconv::Conv(dtype)
                    .batch(kBatch)
                    .channels(kChannels, kChannels)
                    .in_size({kSize, kSize})
                    .kernel(kKernel)
                    .padding(1),
                scheme)
    {
    }
    template <class T>
    Tensor estimate(const std::vector<T> &x, const std::vector<T> &dy, uint64_t seed)
    {
        std::vector<T> dw(kFilter);
        plan_.sketch(x.data(), seed, sketch_, workspace_);
        plan_.backward_filter(sketch_, seed, dy.data(), dw.data(), workspace_);
        return {dw.begin(), dw.end()};
    }

  private:
    xconv::Plan plan_;
    xconv::Buffer sketch_ = plan_.new_sketch();
    xconv::Buffer workspace_ = plan_.new_workspace();
};

template <class T> void measure(const Data &data, const char *type)
{
    const Tensor unrounded = gradient(data.x, data.dy);
    const Tensor x = rounded<T>(data.x);
    const Tensor dy = rounded<T>(data.dy);
    const Tensor exact = gradient(x, dy);
    const std::array floors{relative_error(rounded<T>(exact), exact),
                            relative_error(exact, unrounded),
                            relative_error(gradient_summed_in<T>(x, dy), exact)};
    std::vector<T> x_in;
    std::vector<T> dy_in;
    for (size_t i = 0; i < x.size(); ++i) {
        x_in.push_back(T(static_cast<float>(x[i])));
        dy_in.push_back(T(static_cast<float>(dy[i])));
    }
    const struct {
        const char *name;
        xconv::Scheme (*scheme)(int64_t probes, xconv::Distribution z);
    } projections[] = {{"dense", xconv::Scheme::dense},
                       {"independent", xconv::Scheme::independent}};
    for (const auto &[name, scheme] : projections) {
        for (int probes = 4; probes <= kMostProbes; probes *= 2) {
            Layer layer(xconv::dtype_of<T>(), scheme(probes, xconv::Distribution::rademacher));
            double squares = 0;
            for (uint64_t seed = 0; seed < kDraws; ++seed) {
                const double error = relative_error(layer.estimate(x_in, dy_in, seed), exact);
                squares += error * error;
            }
            const double error = std::sqrt(squares / static_cast<double>(kDraws));
            std::printf("%s,%s,%s,%d,%.4g", data.name, type, name, probes, error);
            for (const double floor : floors) {
                std::printf(",%.4g,%.3g", floor, probes * std::pow(error / floor, 2));
            }
            std::printf("\n");
        }
    }
}

void measure_all()
{
    std::printf("data,type,projection,r,error,stored,meets_stored,tensors,meets_tensors,summed,"
                "meets_summed\n");
    for (const Data &data : data_sets()) {
        measure<xconv::Float16>(data, "f16");
        measure<xconv::BFloat16>(data, "bf16");
        measure<float>(data, "f32");
    }
}

} // namespace

int main()
{
    try {
        measure_all();
    }
    catch (const std::exception &error) {
        std::fprintf(stderr, "half_precision: %s\n", error.what());
        return 1;
    }
}
