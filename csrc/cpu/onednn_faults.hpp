// Geometries that kernels of oneDNN take and get wrong, as far as comparing random ones
// with im2col has found them, in oneDNN 2.6.3. Others do these.
#pragma once

#include "cpu/onednn_pieces.hpp"

namespace xconv::cpu::onednn {

/// Whether a pass on factors of Float32 is sound.
bool sound(const ConvGeometry &g, Direction direction);
/// Whether one on factors of BFloat16 is.
bool sound_in_bfloat16(const ConvGeometry &g, Direction direction);
/// Whether a filter pass that reads x with its channels last is.
bool sound_channels_last(const ConvGeometry &g);

} // namespace xconv::cpu::onednn
