// Means, and what is made of them, on a stream; the operations are those of Backend.
#pragma once

#include "backend.hpp"
#include "cuda/stream.hpp"

namespace xconv::cuda {

void channel_means(Stream stream, Dtype dtype, ConstMatrix x, const ChannelMeans &wanted);
void probe_means(Stream stream, Dtype compute, const Probes &probes, Runs rows, Matrix means);
void filter_of_ones(Stream stream, const ConvGeometry &geometry, const void *dy, void *sums);

} // namespace xconv::cuda
