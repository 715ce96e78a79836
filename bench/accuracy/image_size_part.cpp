// Layers shaped as those of SqueezeNet and of a U-Net, each by itself: x comes from
// images through one random convolution and a ReLU, dy from the mean-square distance
// of the layer's output to its output on other images.
#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "estimator.hpp"
#include "images.hpp"
#include "parts.hpp"
#include "schemes.hpp"
#include "statistics.hpp"

namespace study {
namespace {

constexpr size_t kImageChannels = 3;

struct LayerShape {
    const char *name;
    size_t in_channels, out_channels, kernel;
    size_t reduction; // of the image's size, where the layer stands
};
constexpr std::array kSqueezeNet{
    LayerShape{"fire2 squeeze", 64, 16, 1, 4}, LayerShape{"fire2 expand", 16, 64, 3, 4},
    LayerShape{"fire4 expand", 32, 128, 3, 8}, LayerShape{"fire6 expand", 48, 192, 3, 16}};
constexpr std::array kUNet{
    LayerShape{"encoder 1", 16, 16, 3, 1}, LayerShape{"encoder 2", 32, 32, 3, 2},
    LayerShape{"encoder 3", 64, 64, 3, 4}, LayerShape{"decoder 1", 32, 16, 3, 1}};

std::span<const LayerShape> layers_of(const std::string &network)
{
    if (network == "squeezenet")
        return kSqueezeNet;
    if (network == "unet")
        return kUNet;
    throw std::invalid_argument("--network is squeezenet or unet");
}

xconv::Conv geometry(int64_t batch, size_t in, size_t out, size_t kernel, size_t size)
{
    const auto side = static_cast<int64_t>(size);
    const auto taps = static_cast<int64_t>(kernel);
    return xconv::Conv()
        .batch(batch)
        .channels(static_cast<int64_t>(in), static_cast<int64_t>(out))
        .in_size({side, side})
        .kernel(taps)
        .padding(taps / 2);
}

/// A layer with the means to make batches for it.
class Problem {
  public:
    Problem(const demo::Images &images, const Settings &settings, const LayerShape &shape)
        : images_(images), batch_(static_cast<size_t>(settings.batch)),
          size_(static_cast<size_t>(settings.size) / shape.reduction),
          conv_(
              geometry(settings.batch, shape.in_channels, shape.out_channels, shape.kernel, size_)),
          features_(xconv::Context(settings.threads),
                    geometry(settings.batch, kImageChannels, shape.in_channels, 3, size_)),
          layer_(xconv::Context(settings.threads), conv_),
          feature_weights_(
              glorot_weights(kImageChannels, shape.in_channels, 9, demo::mix(settings.seed))),
          weights_(glorot_weights(shape.in_channels, shape.out_channels,
                                  shape.kernel * shape.kernel, settings.seed))
    {
    }

    void draw(uint64_t seed)
    {
        x = activations(demo::combine({seed, 1}));
        dy = output(x);
        const auto target = output(activations(demo::combine({seed, 2})));
        for (size_t i = 0; i < dy.size(); ++i)
            dy[i] -= target[i];
    }
    [[nodiscard]] const xconv::Conv &conv() const { return conv_; }
    Estimator &exact() { return layer_; }

    std::vector<float> x;
    std::vector<float> dy;

  private:
    std::vector<float> activations(uint64_t seed)
    {
        const auto pixels = mosaics(images_, batch_ * kImageChannels, size_, seed);
        std::vector<float> y(features_.plan().y_count());
        features_.forward(pixels.data(), feature_weights_.data(), y.data());
        for (float &value : y)
            value = std::max(value, 0.0F);
        return y;
    }
    std::vector<float> output(const std::vector<float> &input)
    {
        std::vector<float> y(layer_.plan().y_count());
        layer_.forward(input.data(), weights_.data(), y.data());
        return y;
    }

    const demo::Images &images_;
    size_t batch_;
    size_t size_;
    xconv::Conv conv_;
    Estimator features_;
    Estimator layer_;
    std::vector<float> feature_weights_;
    std::vector<float> weights_;
};

struct Contender {
    std::string name;
    Estimator estimator;
    double error = 0; // sum of relative errors
};

void print_layer(const demo::Images &images, const Settings &settings, const LayerShape &shape)
{
    Problem problem(images, settings, shape);
    const xconv::Context context(settings.threads);
    std::vector<Contender> contenders;
    for (const std::string &text : settings.schemes)
        contenders.push_back({text, Estimator(context, problem.conv(), parse_scheme(text).sketch)});

    Moments gradients;
    double squares = 0;
    for (int64_t draw = 0; draw < settings.draws; ++draw) {
        const uint64_t seed = demo::combine({settings.seed, static_cast<uint64_t>(draw)});
        problem.draw(seed);
        const auto &exact = problem.exact().exact(problem.x.data(), problem.dy.data());
        gradients.add(exact);
        squares += squared_norm(exact);
        for (Contender &contender : contenders) {
            const auto &dw = contender.estimator.draw(problem.x.data(), problem.dy.data(), seed);
            contender.error += std::sqrt(squared_distance(dw, exact) / squared_norm(exact));
        }
    }
    const auto draws = static_cast<double>(settings.draws);
    const size_t x_bytes = problem.x.size() * sizeof(float);
    const auto print = [&](const std::string &scheme, size_t kept, double error) {
        fmt::print("{},{},{},{},{},{},{},{},{:.4g}\n", settings.network, settings.size, shape.name,
                   settings.batch, scheme, settings.draws, x_bytes, kept, error);
    };
    for (const Contender &contender : contenders)
        print(contender.name, contender.estimator.kept_bytes(), contender.error / draws);
    print("mini-batch", x_bytes, std::sqrt(gradients.total_variance() * draws / squares));
}

} // namespace

void measure_image_size(const Settings &settings)
{
    const demo::Dataset data = demo::load_dataset(settings.data, settings.train_limit, 1);
    fmt::print("network,size,layer,batch,scheme,draws,x_bytes,kept_bytes,error\n");
    for (const LayerShape &shape : layers_of(settings.network))
        print_layer(data.train, settings, shape);
}

} // namespace study
