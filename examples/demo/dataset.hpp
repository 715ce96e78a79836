// Labelled grey-scale images, and the batches a training run takes from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace demo {

struct Images {
    size_t count = 0;
    size_t height = 0;
    size_t width = 0;
    std::vector<uint8_t> pixels; // [count][height][width]
    std::vector<uint8_t> labels; // [count]

    [[nodiscard]] size_t image_size() const { return height * width; }
};

struct Dataset {
    Images train;
    Images test;
    size_t classes = 0;
};

/// Load the four IDX files of a directory, gzipped or not; a limit other than 0
/// keeps only the first images. Throws std::runtime_error with what is missing
/// or wrong.
Dataset load_dataset(const std::filesystem::path &directory, size_t train_limit, size_t test_limit);

/// Pixels of the images `which`, scaled to [0, 1], one after the other.
void gather_pixels(const Images &images, std::span<const uint32_t> which, std::span<float> out);

/// Labels of the images `which`.
void gather_labels(const Images &images, std::span<const uint32_t> which, std::span<uint8_t> out);

/// 0, 1, ..., count - 1 in an order that depends on the seed alone.
std::vector<uint32_t> shuffled(size_t count, uint64_t seed);

} // namespace demo
