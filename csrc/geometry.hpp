// The geometry of one convolution, validated: every count below fits in 64 bits.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "dtype.hpp"
#include "xconv/xconv.h"

namespace xconv {

/// Spatial triple {D, H, W}. Lower ranks are embedded with leading axes of size
/// 1, so code that handles three axes handles them all.
using Axes = std::array<int64_t, 3>;

/// Places [first, last) of an axis, or of a channel.
struct Interval {
    int64_t first;
    int64_t last;

    [[nodiscard]] int64_t length() const { return last - first; }
};

int64_t product(const Axes &axes);
/// Entry `axis` of the first `rank`, as xconv.h counts them; 1 past the rank.
int64_t named_axis(const Axes &axes, int rank, int axis);

/// The element type of an enum value; throws Error when there is none.
Dtype checked_dtype(xconv_dtype dtype);

/// Shapes: x [batch][in_channels][in], y [batch][out_channels][out],
/// w [out_channels][in_channels/groups][kernel], all cross-correlation: the
/// plan undoes xconv_conv_desc::flip around the passes.
struct ConvGeometry {
    int rank = 2; // axes 3-rank .. 2 are the real ones
    Dtype dtype = Dtype::f32;
    int64_t batch = 1;
    int64_t in_channels = 1;
    int64_t out_channels = 1;
    int64_t groups = 1;
    Axes in{1, 1, 1};
    Axes kernel{1, 1, 1};
    Axes stride{1, 1, 1};
    Axes dilation{1, 1, 1};
    Axes pad_begin{0, 0, 0};
    Axes pad_end{0, 0, 0};
    Axes out{1, 1, 1};
    // Elements from one channel to the next; larger than N or M where the tensor
    // is a band of rows of a larger one. A sample is so many channels.
    int64_t x_channel = 1;
    int64_t y_channel = 1;

    [[nodiscard]] int64_t in_points() const { return product(in); }         // N
    [[nodiscard]] int64_t out_points() const { return product(out); }       // M
    [[nodiscard]] int64_t kernel_points() const { return product(kernel); } // K
    [[nodiscard]] int64_t in_per_group() const { return in_channels / groups; }
    [[nodiscard]] int64_t out_per_group() const { return out_channels / groups; }
    /// Places that a window spans, those between its taps included.
    [[nodiscard]] int64_t kernel_extent(size_t axis) const
    {
        return dilation[axis] * (kernel[axis] - 1) + 1;
    }
    /// Elements from one sample to the next: Ci * N and Co * M for whole tensors.
    [[nodiscard]] int64_t x_sample() const { return in_channels * x_channel; }
    [[nodiscard]] int64_t y_sample() const { return out_channels * y_channel; }
    [[nodiscard]] int64_t x_count() const { return batch * x_sample(); }
    [[nodiscard]] int64_t y_count() const { return batch * y_sample(); }
    [[nodiscard]] int64_t w_count() const
    {
        return out_channels * in_per_group() * kernel_points();
    }
    /// Rows of the matrix that im2col unfolds a group of x to.
    [[nodiscard]] int64_t unfolded_rows() const { return in_per_group() * kernel_points(); }
    /// Whether that is x itself: a 1x1 kernel that visits every place.
    [[nodiscard]] bool unfolds_to_itself() const;
    /// Multiply-adds of one pass, as a double since it is only ever compared.
    [[nodiscard]] double multiply_adds() const;

    /// The same layer on another number of samples.
    [[nodiscard]] ConvGeometry with_batch(int64_t samples) const;
    /// The same layer on numbers made from its tensors.
    [[nodiscard]] ConvGeometry with_numbers() const;
    /// The same spatial part with other channel counts, without groups.
    [[nodiscard]] ConvGeometry with_channels(int64_t samples, int64_t in_ch, int64_t out_ch) const;

    [[nodiscard]] std::string describe() const;
};

/// Validate a descriptor; throws Error naming the field and its value.
ConvGeometry make_geometry(const xconv_conv_desc &desc);

/// Max pooling: channels and batch are one count of planes.
struct PoolGeometry {
    Dtype dtype = Dtype::f32;
    int64_t planes = 1; // batch * channels
    Axes in{1, 1, 1};
    Axes kernel{1, 1, 1};
    Axes stride{1, 1, 1};
    Axes pad_begin{0, 0, 0};
    Axes out{1, 1, 1};
    int rank = 2;
    int index_bits = 0; // per output

    [[nodiscard]] int64_t in_points() const { return product(in); }
    [[nodiscard]] int64_t out_points() const { return product(out); }
    [[nodiscard]] int64_t out_count() const { return planes * out_points(); }
    [[nodiscard]] int64_t index_bytes() const; // of all outputs, bit-packed
};

PoolGeometry make_pool_geometry(const xconv_pool_desc &desc);

} // namespace xconv
