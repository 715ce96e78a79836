// One training run: a network, a scheme, a data set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "buffer.hpp"
#include "dataset.hpp"
#include "scheme.hpp"

namespace demo {

struct TrainingOptions {
    size_t epochs = 3;
    size_t batch = 128;
    uint64_t seed = 1;
    int threads = 0; // 0: OpenMP's default
    double learning_rate = 3e-3;
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
};

/// Train from scratch and test. Runs with equal options start from the same
/// weights and see the same batches, whatever the scheme.
Outcome train(const Dataset &data, const Scheme &scheme, const TrainingOptions &options);

/// What XConv advises for one convolution.
struct LayerAdvice {
    std::string layer;
    xconv::AdviceList list;
};
/// Train exactly for a few steps, then measure schemes on the next batch as it meets
/// every convolution that a scheme applies to.
std::vector<LayerAdvice> advise(const Dataset &data, const TrainingOptions &options);

} // namespace demo
