#include "images.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace study {

float Normal::operator()()
{
    // Box and Muller's transform; 1 - u is never 0.
    const float radius = std::sqrt(-2 * std::log(1 - random_.uniform()));
    return radius * std::cos(2 * std::numbers::pi_v<float> * random_.uniform());
}

std::vector<float> normal_numbers(size_t count, uint64_t seed)
{
    Normal normal(seed);
    std::vector<float> numbers(count);
    std::generate(numbers.begin(), numbers.end(), normal);
    return numbers;
}

std::vector<float> mosaics(const demo::Images &images, size_t planes, size_t size, uint64_t seed)
{
    demo::Random random(seed);
    std::vector<float> pixels(planes * size * size);
    for (size_t plane = 0; plane < planes; ++plane) {
        // The plane is cut out at random, so that small ones see more than corners.
        const size_t cut_rows = random.below(images.height);
        const size_t cut_columns = random.below(images.width);
        const size_t across = (cut_columns + size - 1) / images.width + 1;
        std::vector<const uint8_t *> tiles(across);
        for (size_t row = 0; row < size; ++row) {
            const size_t tile_row = (row + cut_rows) % images.height;
            if (row == 0 || tile_row == 0)
                std::generate(tiles.begin(), tiles.end(), [&] {
                    return images.pixels.data() + random.below(images.count) * images.image_size();
                });
            float *out = pixels.data() + (plane * size + row) * size;
            for (size_t column = 0; column < size; ++column) {
                const size_t at = column + cut_columns;
                const uint8_t pixel =
                    tiles[at / images.width][tile_row * images.width + at % images.width];
                out[column] = static_cast<float>(pixel) / 255.0F;
            }
        }
    }
    return pixels;
}

std::vector<float> glorot_weights(size_t in_channels, size_t out_channels, size_t taps,
                                  uint64_t seed)
{
    demo::Random random(seed);
    const float bound = std::sqrt(6.0F / static_cast<float>(taps * (in_channels + out_channels)));
    std::vector<float> weights(in_channels * out_channels * taps);
    for (float &weight : weights)
        weight = bound * (2 * random.uniform() - 1);
    return weights;
}

} // namespace study
