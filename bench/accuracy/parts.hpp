// The parts of the study: each is a command of accuracy_study that prints CSV.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace study {

/// Options that several parts understand; README.md says which.
struct Settings {
    std::string data = "/usr/share/datasets/fashion-mnist";
    std::vector<std::string> schemes;
    int64_t batch = 128;
    int64_t draws = 16;
    size_t epochs = 1; // of training before measuring; 0 is the initial network
    size_t batches = 4;
    size_t train_limit = 0;
    size_t test_limit = 0;
    uint64_t seed = 1;
    int threads = 1;
    std::string network;
    std::string input;
    int64_t size = 64;
};

/// Relative variance of one draw against bytes kept, on activations of a network.
void measure_variance(const Settings &settings);
/// How much gradients differ between mini-batches, exact and from sketches.
void measure_spread(const Settings &settings);
/// Every entry of one gradient: exact, mean over draws, spread.
void measure_entries(const Settings &settings);
/// Error against image size for layers shaped as in well-known networks.
void measure_image_size(const Settings &settings);
/// Test accuracy of one training run.
void measure_training(const Settings &settings);

} // namespace study
