// One training run: a network, a scheme, a data set.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "adam.hpp"
#include "buffer.hpp"
#include "dataset.hpp"
#include "network.hpp"
#include "progress.hpp"
#include "scheme.hpp"

namespace demo {

struct TrainingOptions {
    size_t epochs = 3;
    size_t batch = 128;
    uint64_t seed = 1;
    int threads = 0; // 0: OpenMP's default
    double learning_rate = 3e-3;
    /// The reported accuracy is the mean over those after so many last epochs: at a
    /// constant learning rate it differs from one epoch to the next.
    size_t accuracy_epochs = 1;
    bool pool_first = true; // see Network
};

/// What a run is judged by.
struct Outcome {
    Scheme scheme;
    BytesByKind kept{};          // held between forward and backward, by kind
    size_t conv_input_bytes = 0; // inputs of the convolutions a scheme applies to
    size_t conv_held_bytes = 0;  // what those convolutions hold instead
    double step_ms = 0;          // median over the training steps
    double train_seconds = 0;
    double final_loss = 0; // mean over the last epoch
    double test_accuracy = 0;
    double final_accuracy = 0; // after the last epoch alone
};

/// Trains from scratch. Runs with equal options start from the same weights and see
/// the same batches, whatever the scheme.
class Trainer {
  public:
    /// `data` has to live as long. Throws std::invalid_argument when it does not
    /// fill a batch.
    Trainer(const Dataset &data, const Scheme &scheme, const TrainingOptions &options);

    /// All epochs, with progress, and the test.
    Outcome run();

    /// One step on a batch of training images; returns the loss.
    double step(std::span<const uint32_t> which, uint64_t seed);
    /// The same without moving the weights: fills the parameters' gradients.
    double gradient(std::span<const uint32_t> which, uint64_t seed);

    /// The convolutions a scheme applies to.
    [[nodiscard]] const std::vector<const Conv *> &sketched() const { return network_.sketched(); }
    /// See Runtime::watch.
    void watch(Watcher watcher) { runtime_.watch = std::move(watcher); }
    [[nodiscard]] const xconv::Context &context() const { return runtime_.context; }

  private:
    void train_epoch(size_t epoch, size_t steps, Progress &progress);
    void measure_kept(const Buffer &scores);
    double test_accuracy();
    Shared batch_of(const Images &images, std::span<const uint32_t> which);

    const Dataset &data_;
    TrainingOptions options_;
    Ledger image_ledger_; // so that images do not count as kept
    Runtime runtime_;
    Network network_;
    Adam adam_;
    std::vector<uint8_t> labels_;
    std::vector<double> step_seconds_;
    Outcome outcome_;
};

} // namespace demo
