// What every entry point must compute, as plain float64 loops. Nothing here is
// shared with the library, and nothing is clever: it is meant to be read.
//
// Layouts are those of xconv.h: x [batch][in_channels][D][H][W] and so on.
// Lower ranks are the same arrays with leading axes of size 1.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace oracle {

using Axes = std::array<int64_t, 3>; // {D, H, W}
using Tensor = std::vector<double>;

int64_t product(const Axes &axes);

struct Conv {
    int rank = 2; // axes 3 - rank .. 2 are real, the others are left at 1
    bool flip = false;
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

    Axes out() const; // entries below 1: the output is empty
    int64_t x_count() const { return batch * in_channels * product(in); }
    int64_t y_count() const { return batch * out_channels * product(out()); }
    int64_t w_count() const { return out_channels * (in_channels / groups) * product(kernel); }
    std::string describe() const;
};

Tensor forward(const Conv &conv, const Tensor &x, const Tensor &w, const Tensor &bias = {});
Tensor backward_data(const Conv &conv, const Tensor &w, const Tensor &dy);
Tensor backward_filter(const Conv &conv, const Tensor &x, const Tensor &dy);
Tensor backward_bias(const Conv &conv, const Tensor &dy);

double relu(double x, double negative_slope, double ceiling);
double relu_derivative(double x, double negative_slope, double ceiling);

struct Pool {
    int rank = 2;
    int64_t batch = 1;
    int64_t channels = 1;
    Axes in{1, 1, 1};
    Axes kernel{1, 1, 1};
    Axes stride{1, 1, 1};
    Axes pad_begin{0, 0, 0};
    Axes pad_end{0, 0, 0};

    Axes out() const;
    int64_t x_count() const { return batch * channels * product(in); }
    int64_t y_count() const { return batch * channels * product(out()); }
    std::string describe() const;
};

struct Pooled {
    Tensor y;
    std::vector<int64_t> winner; // index into x of each output's maximum
};

Pooled maxpool(const Pool &pool, const Tensor &x);
Tensor maxpool_backward(const Pool &pool, const std::vector<int64_t> &winner, const Tensor &dy);

} // namespace oracle
