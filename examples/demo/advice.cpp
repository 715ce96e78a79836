#include "advice.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "progress.hpp"
#include "random.hpp"

namespace demo {
namespace {

// Activations and gradients change most in the first steps of a training.
constexpr size_t kAdviseSteps = 200;

std::string layer_name(const Conv &layer)
{
    const Conv::Shape &shape = layer.shape();
    return fmt::format("convolution {}x{}, {} to {} channels of {}x{}, batch {}",
                       shape.kernel_height, shape.kernel_width, shape.in_channels,
                       shape.out_channels, shape.height, shape.width, shape.batch);
}

} // namespace

std::vector<LayerAdvice> advise(const Dataset &data, const TrainingOptions &options)
{
    Trainer trainer(data, {"exact", true}, options);
    const auto order = shuffled(data.train.count, options.seed);
    const size_t steps = std::min(kAdviseSteps, data.train.count / options.batch - 1);
    const auto batch = [&](size_t step) {
        return std::span(order).subspan(step * options.batch, options.batch);
    };
    Progress progress("warming up", steps, options.batch);
    for (size_t step = 0; step < steps; ++step)
        progress.step(trainer.step(batch(step), combine({options.seed, step})), "exact");
    progress.finish(fmt::format("{} steps", steps));

    std::vector<LayerAdvice> advice;
    trainer.watch([&](const Conv &layer, const float *x, const float *dy) {
        const auto &all = trainer.sketched();
        if (std::find(all.begin(), all.end(), &layer) != all.end())
            advice.push_back(
                {layer_name(layer), xconv::advise(trainer.context(), layer.geometry(), x, dy)});
    });
    trainer.gradient(batch(steps), 0);
    std::reverse(advice.begin(), advice.end()); // the last layer came first
    return advice;
}

} // namespace demo
