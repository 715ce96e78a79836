#include "training.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "loss.hpp"
#include "random.hpp"

namespace demo {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin)
{
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values)
{
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::span<float> floats(Buffer &buffer) { return {buffer.floats(), buffer.size() / sizeof(float)}; }

Network::Shape network_shape(const Dataset &data, const TrainingOptions &options)
{
    if (data.train.count < options.batch)
        throw std::invalid_argument(fmt::format("{} training images do not fill a batch of {}",
                                                data.train.count, options.batch));
    return {static_cast<int64_t>(options.batch), static_cast<int64_t>(data.train.height),
            static_cast<int64_t>(data.train.width), static_cast<int64_t>(data.classes),
            options.pool_first};
}

} // namespace

Trainer::Trainer(const Dataset &data, const Scheme &scheme, const TrainingOptions &options)
    : data_(data), options_(options), runtime_{xconv::Context(options.threads), {}, {}},
      network_(runtime_, network_shape(data, options), scheme, options.seed),
      adam_(network_.parameters(), options.learning_rate), labels_(options.batch)
{
    outcome_.scheme = scheme;
}

Outcome Trainer::run()
{
    // An incomplete last batch is left out; the next epoch shuffles anew.
    const size_t per_epoch = data_.train.count / options_.batch;
    Progress progress(outcome_.scheme.name, options_.epochs * per_epoch, options_.batch);
    double accuracies = 0;
    const size_t tested = std::min(options_.accuracy_epochs, options_.epochs);
    for (size_t epoch = 0; epoch < options_.epochs; ++epoch) {
        const auto begin = Clock::now();
        train_epoch(epoch, per_epoch, progress);
        outcome_.train_seconds += seconds_since(begin);
        if (epoch + tested >= options_.epochs) {
            outcome_.final_accuracy = test_accuracy();
            accuracies += outcome_.final_accuracy;
        }
    }
    outcome_.step_ms = 1e3 * median(std::move(step_seconds_));
    outcome_.test_accuracy = accuracies / static_cast<double>(tested);
    progress.finish(fmt::format("test accuracy {:.2f} %", 100 * outcome_.test_accuracy));
    return std::move(outcome_);
}

double Trainer::step(std::span<const uint32_t> which, uint64_t seed)
{
    const double loss = gradient(which, seed);
    adam_.step();
    return loss;
}

double Trainer::gradient(std::span<const uint32_t> which, uint64_t seed)
{
    Shared scores = network_.forward(batch_of(data_.train, which), {true, seed});
    measure_kept(*scores);
    const double loss = softmax_cross_entropy(labels_, data_.classes, floats(*scores));
    network_.backward(std::move(scores));
    return loss;
}

void Trainer::train_epoch(size_t epoch, size_t steps, Progress &progress)
{
    const auto order = shuffled(data_.train.count, combine({options_.seed, epoch}));
    const auto stage = fmt::format("epoch {}/{}", epoch + 1, options_.epochs);
    double losses = 0;
    for (size_t number = 0; number < steps; ++number) {
        const std::span which(order.data() + number * options_.batch, options_.batch);
        const auto begin = Clock::now();
        const double loss = step(which, combine({options_.seed, epoch, number}));
        step_seconds_.push_back(seconds_since(begin));
        progress.step(loss, stage);
        losses += loss;
    }
    outcome_.final_loss = losses / static_cast<double>(steps);
}

/// Everything alive now is held for the backward pass, but for the scores, which are
/// the loss's. The images have a ledger of their own.
void Trainer::measure_kept(const Buffer &scores)
{
    BytesByKind kept = runtime_.ledger.live();
    kept[static_cast<size_t>(Kind::activation)] -= scores.size();
    if (total(kept) < total(outcome_.kept))
        return;
    outcome_.kept = kept;
    outcome_.conv_input_bytes = network_.conv_input_bytes();
    outcome_.conv_held_bytes = network_.conv_held_bytes();
}

double Trainer::test_accuracy()
{
    std::vector<uint32_t> all(options_.batch);
    size_t correct = 0;
    for (size_t begin = 0; begin < data_.test.count; begin += options_.batch) {
        const size_t real = std::min(options_.batch, data_.test.count - begin);
        // The last batch is filled up with its first image, not counted.
        for (size_t i = 0; i < options_.batch; ++i)
            all[i] = static_cast<uint32_t>(begin + (i < real ? i : 0));
        const Shared scores = network_.forward(batch_of(data_.test, all), {});
        correct += count_correct(std::span(labels_).first(real), data_.classes,
                                 floats(*scores).first(real * data_.classes));
    }
    return static_cast<double>(correct) / static_cast<double>(data_.test.count);
}

/// The images `which`; their labels go to labels_.
Shared Trainer::batch_of(const Images &images, std::span<const uint32_t> which)
{
    const size_t count = which.size() * images.image_size();
    Shared batch = image_ledger_.make(Kind::activation, count * sizeof(float));
    gather_pixels(images, which, floats(*batch));
    gather_labels(images, which, labels_);
    return batch;
}

} // namespace demo
