#include "loss.hpp"

#include <algorithm>
#include <cmath>

namespace demo {

double softmax_cross_entropy(std::span<const uint8_t> labels, size_t classes,
                             std::span<float> scores)
{
    double loss = 0;
    const auto per_image = 1 / static_cast<float>(labels.size());
    for (size_t image = 0; image < labels.size(); ++image) {
        const std::span<float> row = scores.subspan(image * classes, classes);
        // Shifted by the largest score, so that no exponential overflows.
        const float largest = *std::max_element(row.begin(), row.end());
        const float shifted_label = row[labels[image]] - largest;
        float sum = 0;
        for (float &score : row) {
            score = std::exp(score - largest);
            sum += score;
        }
        loss += static_cast<double>(std::log(sum) - shifted_label);
        for (float &score : row)
            score *= per_image / sum;
        row[labels[image]] -= per_image;
    }
    return loss / static_cast<double>(labels.size());
}

size_t count_correct(std::span<const uint8_t> labels, size_t classes, std::span<const float> scores)
{
    size_t correct = 0;
    for (size_t image = 0; image < labels.size(); ++image) {
        const auto row = scores.subspan(image * classes, classes);
        const auto winner = std::max_element(row.begin(), row.end()) - row.begin();
        correct += static_cast<size_t>(static_cast<size_t>(winner) == labels[image]);
    }
    return correct;
}

} // namespace demo
