#include "capture.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>

#include <fmt/format.h>

#include "random.hpp"

namespace study {
namespace {

demo::TrainingOptions training_options(const Settings &settings)
{
    if (settings.network != "demo" && settings.network != "wide")
        throw std::invalid_argument("--network is demo or wide");
    demo::TrainingOptions options;
    options.epochs = settings.epochs;
    options.batch = static_cast<size_t>(settings.batch);
    options.seed = settings.seed;
    options.threads = settings.threads;
    options.pool_first = settings.network == "demo";
    return options;
}

} // namespace

Capture::Capture(const Settings &settings)
    : data_(demo::load_dataset(settings.data, settings.train_limit, settings.test_limit)),
      batch_(static_cast<size_t>(settings.batch)),
      trainer_(data_, {"exact", true}, training_options(settings)),
      order_(demo::shuffled(data_.train.count, demo::mix(settings.seed)))
{
    if (settings.epochs != 0)
        trainer_.run();
    for (const demo::Conv *conv : trainer_.sketched())
        layers_.push_back({fmt::format("conv {}", layers_.size() + 2), conv->shape(),
                           conv->geometry(), Estimator(trainer_.context(), conv->geometry())});
}

void Capture::next_batch(const std::function<void(const Seen &)> &visit)
{
    if (used_ + batch_ > order_.size())
        throw std::invalid_argument("there are not so many mini-batches in the data set");
    const auto &all = trainer_.sketched();
    trainer_.watch([&](const demo::Conv &conv, const float *x, const float *dy) {
        const auto found = std::find(all.begin(), all.end(), &conv);
        if (found == all.end())
            return;
        const auto layer = static_cast<size_t>(found - all.begin());
        visit({layer, x, dy, layers_[layer].exact.exact(x, dy)});
    });
    trainer_.gradient(std::span(order_).subspan(used_, batch_), 0);
    trainer_.watch(nullptr);
    used_ += batch_;
}

} // namespace study
