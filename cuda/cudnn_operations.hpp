// A convolution in the words of cuDNN's graphs.
#pragma once

#include <deque>

#include "cuda/cudnn_graph.hpp"

namespace xconv::cuda::cudnn {

// Names of the tensors that a graph reads and writes.
inline constexpr int64_t kX = 1;
inline constexpr int64_t kW = 2;
inline constexpr int64_t kY = 3;
inline constexpr int64_t kBias = 4;

/// The graph of one convolution; throws where cuDNN refuses it. `parts` receives
/// what must live as long as the graph does.
Descriptor make_graph(const Handle &handle, const ConvGeometry &g, Direction direction,
                      Dtype result, std::deque<Descriptor> &parts);

} // namespace xconv::cuda::cudnn
