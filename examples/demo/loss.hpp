// Softmax cross-entropy and the accuracy of a batch of class scores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace demo {

/// Mean loss over the batch. `scores` is [batch][classes] and is replaced by
/// the loss's gradient with respect to it.
double softmax_cross_entropy(std::span<const uint8_t> labels, size_t classes,
                             std::span<float> scores);

/// How many rows of `scores` have their largest entry at the label.
size_t count_correct(std::span<const uint8_t> labels, size_t classes,
                     std::span<const float> scores);

} // namespace demo
