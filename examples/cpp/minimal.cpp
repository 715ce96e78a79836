// One convolution from C++: a forward pass that keeps a sketch instead of x, and
// the filter gradient from that sketch. Checks at the end that four times the
// memory buys half the error.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <random>
#include <vector>

#include <xconv/xconv.hpp>

namespace {

constexpr int64_t kBatch = 16;
constexpr int64_t kIn = 8;
constexpr int64_t kOut = 16;
constexpr int64_t kSize = 20;
constexpr uint64_t kSteps = 16;
constexpr uint64_t kLayers = 1; // of the network: this one and no other
constexpr uint64_t kLayer = 0;

using Array = std::vector<float>;

/// Numbers on [low, high) that are the same on every machine.
Array random_array(int64_t count, float low, float high, std::mt19937 &generator)
{
    Array array(static_cast<std::size_t>(count));
    for (float &value : array)
        value = low + (high - low) * static_cast<float>(generator() >> 8U) / 16777216.0F;
    return array;
}

struct Layer {
    std::mt19937 generator{7};
    Array x = random_array(kBatch * kIn * kSize * kSize, 0.0F, 1.0F, generator);
    Array w = random_array(kOut * kIn * 9, -0.5F, 0.5F, generator);
    Array bias = random_array(kOut, -0.5F, 0.5F, generator);
    Array dy = random_array(kBatch * kOut * kSize * kSize, -1.0F, 1.0F, generator);
};

/// Root mean square distance of an estimate from the exact gradient, relative to its norm.
double relative_error(const Layer &all, int64_t probes)
{
    const auto &[generator, x, w, bias, dy] = all;
    Array y(dy.size());
    Array dx(x.size());
    Array dw(w.size());
    std::vector<Array> estimates;
    const auto update = [&](const Array &gradient) { estimates.push_back(gradient); };
    // clang-format off: short enough for the README
    // [readme]
    const auto conv = xconv::Conv()
                          .batch(kBatch)
                          .channels(kIn, kOut)
                          .in_size({kSize, kSize})
                          .kernel(3)
                          .padding(1);
    const auto scheme = xconv::Scheme::independent(probes).deflate_mean().bits(2);
    const xconv::Plan plan(xconv::Context(), conv, scheme);
    xconv::Buffer kept = plan.new_sketch();
    xconv::Buffer work = plan.new_workspace();
    for (uint64_t step = 0; step < kSteps; ++step) {
        const uint64_t seed = step * kLayers + kLayer; // new in every step and layer
        plan.forward(x.data(), w.data(), bias.data(), y.data(), seed, kept, work);
        // x may go now
        plan.backward_filter(kept, seed, dy.data(), dw.data(), work); // E[dw] = exact
        plan.backward_data(w.data(), dy.data(), dx.data(), work);     // exact
        update(dw);
    }
    // [readme]
    // clang-format on
    Array exact(w.size());
    plan.backward_filter_exact(x.data(), dy.data(), exact.data(), work);
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        for (const Array &estimate : estimates)
            error += std::pow(static_cast<double>(estimate[i] - exact[i]), 2);
        norm += std::pow(static_cast<double>(exact[i]), 2);
    }
    return std::sqrt(error / static_cast<double>(kSteps) / norm);
}

} // namespace

int main()
{
    try {
        const Layer layer;
        const double few = relative_error(layer, 16);
        const double many = relative_error(layer, 64);
        std::printf("relative error of one estimate: %.2f with 16 probes, %.2f with 64: %.2f "
                    "times less, 2 expected\n",
                    few, many, few / many);
        return few / many > 1.8 && few / many < 2.2 ? 0 : 1;
    }
    catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
