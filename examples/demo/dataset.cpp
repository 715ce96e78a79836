#include "dataset.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "idx.hpp"
#include "random.hpp"

namespace demo {
namespace {

/// The file `stem` of a data set under any of the names it goes by.
std::filesystem::path find_file(const std::filesystem::path &directory, const std::string &stem,
                                const std::string &rank)
{
    for (const char *separator : {"-", "."})
        for (const char *suffix : {"", ".gz"}) {
            auto file = directory / fmt::format("{}{}idx{}-ubyte{}", stem, separator, rank, suffix);
            if (std::filesystem::is_regular_file(file))
                return file;
        }
    throw std::runtime_error(
        fmt::format("no {}-idx{}-ubyte or {}-idx{}-ubyte.gz in {} (name a directory of IDX files "
                    "with --data; Debian packages one: dataset-fashion-mnist)",
                    stem, rank, stem, rank, directory.string()));
}

Images load_images(const std::filesystem::path &directory, const std::string &stem, size_t limit)
{
    const auto image_file = find_file(directory, stem + "-images", "3");
    const auto label_file = find_file(directory, stem + "-labels", "1");
    IdxArray pixels = read_idx(image_file, 3);
    IdxArray labels = read_idx(label_file, 1);
    if (pixels.shape[0] != labels.shape[0])
        throw std::runtime_error(fmt::format("{} has {} images but {} has {} labels",
                                             image_file.string(), pixels.shape[0],
                                             label_file.string(), labels.shape[0]));
    Images images{pixels.shape[0], pixels.shape[1], pixels.shape[2], std::move(pixels.values),
                  std::move(labels.values)};
    if (limit != 0 && limit < images.count) {
        images.count = limit;
        images.pixels.resize(limit * images.image_size());
        images.labels.resize(limit);
    }
    return images;
}

} // namespace

Dataset load_dataset(const std::filesystem::path &directory, size_t train_limit, size_t test_limit)
{
    Dataset data{load_images(directory, "train", train_limit),
                 load_images(directory, "t10k", test_limit), 0};
    if (data.train.height != data.test.height || data.train.width != data.test.width)
        throw std::runtime_error(fmt::format("{}: training images are {}x{}, test images {}x{}",
                                             directory.string(), data.train.height,
                                             data.train.width, data.test.height, data.test.width));
    for (const Images *images : {&data.train, &data.test})
        for (uint8_t label : images->labels)
            data.classes = std::max(data.classes, size_t{label} + 1);
    return data;
}

void gather_pixels(const Images &images, std::span<const uint32_t> which, std::span<float> out)
{
    float *to = out.data();
    for (uint32_t index : which) {
        const uint8_t *from = images.pixels.data() + index * images.image_size();
        to = std::transform(from, from + images.image_size(), to,
                            [](uint8_t pixel) { return static_cast<float>(pixel) / 255.0F; });
    }
}

void gather_labels(const Images &images, std::span<const uint32_t> which, std::span<uint8_t> out)
{
    std::transform(which.begin(), which.end(), out.begin(),
                   [&](uint32_t index) { return images.labels[index]; });
}

std::vector<uint32_t> shuffled(size_t count, uint64_t seed)
{
    std::vector<uint32_t> order(count);
    std::iota(order.begin(), order.end(), 0U);
    Random random(seed);
    for (size_t left = count; left > 1; --left)
        std::swap(order[left - 1], order[random.below(left)]);
    return order;
}

} // namespace demo
