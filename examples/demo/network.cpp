#include "network.hpp"

#include <array>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "maxpool.hpp"
#include "random.hpp"
#include "relu.hpp"

namespace demo {
namespace {

constexpr std::array<int64_t, 3> kChannels{16, 32, 32};
constexpr int64_t kSmallestImage = 8; // one pixel after three poolings

} // namespace

Network::Network(Runtime &runtime, const Shape &shape, const Scheme &scheme, uint64_t seed)
    : runtime_(runtime)
{
    if (shape.height < kSmallestImage || shape.width < kSmallestImage)
        throw std::invalid_argument(fmt::format("images of {}x{} are too small: the network halves "
                                                "them three times",
                                                shape.height, shape.width));
    int64_t channels = 1;
    int64_t height = shape.height;
    int64_t width = shape.width;
    for (const int64_t out_channels : kChannels) {
        const bool first = layers_.empty();
        const auto keeps = first || scheme.plain ? Conv::Keeps::input : Conv::Keeps::sketch;
        auto conv = std::make_unique<Conv>(
            runtime, Conv::Shape{shape.batch, channels, out_channels, height, width, 3, 3, 1},
            keeps, scheme.sketch, !first, combine({seed, layers_.size()}));
        if (!first)
            sketched_.push_back(conv.get());
        layers_.push_back(std::move(conv));

        const int64_t inputs = shape.batch * out_channels * height * width;
        channels = out_channels;
        if (first && !shape.pool_first) {
            add_relu(scheme.plain, inputs);
            continue;
        }
        auto pool = std::make_unique<MaxPool>(runtime, shape.batch, out_channels, height, width);
        height = pool->out_height();
        width = pool->out_width();
        const int64_t outputs = shape.batch * out_channels * height * width;
        // Only winners of the pool receive a gradient, so a bit for each winner tells
        // all that is needed of the ReLU: pooling first gives the same numbers.
        if (scheme.plain)
            add_relu(true, inputs);
        layers_.push_back(std::move(pool));
        if (!scheme.plain)
            add_relu(false, outputs);
    }
    // A dense layer is a convolution whose kernel is as large as its input, so
    // the demo needs no matrix library of its own.
    layers_.push_back(std::make_unique<Conv>(
        runtime, Conv::Shape{shape.batch, channels, shape.classes, height, width, height, width, 0},
        Conv::Keeps::input, xconv::Scheme::exact(), true, combine({seed, layers_.size()})));
}

void Network::add_relu(bool plain, int64_t count)
{
    if (plain)
        layers_.push_back(std::make_unique<PlainRelu>(runtime_, count));
    else
        layers_.push_back(std::make_unique<BitRelu>(runtime_, count));
}

Shared Network::forward(Shared images, const Pass &pass)
{
    Shared activation = std::move(images);
    for (size_t index = 0; index < layers_.size(); ++index)
        activation = layers_[index]->forward(std::move(activation),
                                             {pass.training, combine({pass.seed, index})});
    return activation;
}

void Network::backward(Shared dscores)
{
    Shared gradient = std::move(dscores);
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
        gradient = (*layer)->backward(std::move(gradient));
}

std::vector<Parameter *> Network::parameters()
{
    std::vector<Parameter *> all;
    for (const auto &layer : layers_)
        for (Parameter *parameter : layer->parameters())
            all.push_back(parameter);
    return all;
}

size_t Network::conv_input_bytes() const
{
    size_t bytes = 0;
    for (const Conv *conv : sketched_)
        bytes += conv->input_bytes();
    return bytes;
}

size_t Network::conv_held_bytes() const
{
    size_t bytes = 0;
    for (const Conv *conv : sketched_)
        bytes += conv->held_bytes();
    return bytes;
}

} // namespace demo
