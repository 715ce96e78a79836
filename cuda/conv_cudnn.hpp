// Exact passes by cuDNN. Null where it has no engine that gives exact sums of small
// integers, does without atomics, and fits the workspace.
#pragma once

#include <memory>

#include "backend.hpp"
#include "cuda/cudnn_graph.hpp"

namespace xconv::cuda {

// They run on a CudaBackend.
std::unique_ptr<ForwardPass> make_cudnn_forward(const std::shared_ptr<const cudnn::Handle> &handle,
                                                const ConvGeometry &g, const cudnn::Wanted &wanted);
std::unique_ptr<DataPass>
make_cudnn_backward_data(const std::shared_ptr<const cudnn::Handle> &handle, const ConvGeometry &g,
                         const cudnn::Wanted &wanted);
std::unique_ptr<FilterPass>
make_cudnn_backward_filter(const std::shared_ptr<const cudnn::Handle> &handle,
                           const ConvGeometry &g, const cudnn::Wanted &wanted);

} // namespace xconv::cuda
