#include "cases.hpp"

#include <algorithm>

namespace cases {

using oracle::Axes;
using oracle::Conv;
using oracle::Pool;
using support::Random;

namespace {

bool not_empty(const Axes &out) { return *std::min_element(out.begin(), out.end()) >= 1; }

void draw_channels(Random &random, Conv &conv)
{
    conv.batch = random.integer(1, 5);
    conv.groups = random.coin() ? 1 : random.integer(2, 4);
    conv.in_channels = conv.groups * random.integer(1, 3);
    conv.out_channels = conv.groups * random.integer(1, 3);
    if (random.integer(0, 4) == 0) { // depthwise, with a channel multiplier
        conv.groups = conv.in_channels;
        conv.out_channels = conv.in_channels * random.integer(1, 2);
    }
}

/// Pads of a window that may hang out of the input but must see some of it.
bool every_window_sees_input(const Pool &pool)
{
    const Axes out = pool.out();
    for (size_t axis = 0; axis < 3; ++axis) {
        const int64_t last = (out[axis] - 1) * pool.stride[axis] - pool.pad_begin[axis];
        if (pool.pad_begin[axis] >= pool.kernel[axis] || last >= pool.in[axis]) {
            return false;
        }
    }
    return true;
}

} // namespace

Conv draw_conv(Random &random)
{
    constexpr int64_t largest_size[] = {40, 11, 6}; // by rank
    constexpr int64_t largest_kernel[] = {9, 5, 3};
    for (;;) {
        Conv conv;
        conv.rank = static_cast<int>(random.integer(1, 3));
        conv.flip = random.coin();
        draw_channels(random, conv);
        const auto by_rank = static_cast<size_t>(conv.rank - 1);
        for (auto axis = static_cast<size_t>(3 - conv.rank); axis < 3; ++axis) {
            conv.in[axis] = random.integer(1, largest_size[by_rank]);
            conv.kernel[axis] = random.integer(1, largest_kernel[by_rank]);
            conv.stride[axis] = random.coin() ? 1 : random.integer(2, 3);
            conv.dilation[axis] = random.coin() ? 1 : random.integer(2, 3);
            conv.pad_begin[axis] = random.integer(0, 3);
            conv.pad_end[axis] = random.coin() ? conv.pad_begin[axis] : random.integer(0, 3);
        }
        if (not_empty(conv.out())) {
            return conv;
        }
    }
}

Pool draw_pool(Random &random)
{
    constexpr int64_t largest_size[] = {40, 11, 6};
    for (;;) {
        Pool pool;
        pool.rank = static_cast<int>(random.integer(1, 3));
        pool.batch = random.integer(1, 3);
        pool.channels = random.integer(1, 5);
        for (auto axis = static_cast<size_t>(3 - pool.rank); axis < 3; ++axis) {
            pool.in[axis] = random.integer(1, largest_size[pool.rank - 1]);
            pool.kernel[axis] = random.integer(1, 4);
            pool.stride[axis] = random.integer(1, 4);
            pool.pad_begin[axis] = random.integer(0, 2);
            pool.pad_end[axis] = random.integer(0, 2);
        }
        if (not_empty(pool.out()) && every_window_sees_input(pool)) {
            return pool;
        }
    }
}

Conv conv2d(int64_t batch, int64_t in_channels, int64_t out_channels, int64_t size, int64_t kernel,
            int64_t pad)
{
    Conv conv;
    conv.batch = batch;
    conv.in_channels = in_channels;
    conv.out_channels = out_channels;
    conv.in = {1, size, size};
    conv.kernel = {1, kernel, kernel};
    conv.pad_begin = conv.pad_end = {0, pad, pad};
    return conv;
}

std::vector<Conv> special_convs()
{
    std::vector<Conv> list;
    list.push_back(conv2d(1, 1, 1, 1, 1, 0));     // one number of everything
    list.push_back(conv2d(1, 3, 4, 8, 3, 1));     // batch 1
    list.push_back(conv2d(3, 5, 2, 6, 1, 0));     // 1x1 kernel: a matrix product
    list.push_back(conv2d(2, 4, 4, 7, 4, 2));     // even kernel
    list.push_back(conv2d(2, 2, 3, 3, 5, 2));     // kernel larger than the input
    list.push_back(conv2d(2, 2, 3, 4, 2, 5));     // padding larger than the kernel
    list.push_back(conv2d(2, 3, 2, 5, 5, 0));     // one output place
    list.push_back(conv2d(17, 16, 32, 12, 3, 1)); // whole vectors of channels
    list.push_back(conv2d(2, 8, 8, 6, 3, 1));     // depthwise
    list.back().groups = 8;
    list.push_back(conv2d(2, 6, 12, 9, 3, 0)); // grouped, strided, dilated
    list.back().groups = 3;
    list.back().stride = {1, 2, 1};
    list.back().dilation = {1, 1, 2};
    list.push_back(conv2d(3, 2, 2, 8, 3, 1)); // stride skips input, kernel 1 with stride 2
    list.back().kernel = {1, 1, 2};
    list.back().stride = {1, 2, 3};
    list.push_back(conv2d(3, 2, 2, 1, 3, 0)); // non-square all over
    list.back().in = {1, 13, 5};
    list.back().kernel = {1, 4, 2};
    list.back().pad_begin = {0, 3, 0};
    list.back().pad_end = {0, 0, 1};
    list.push_back(conv2d(5, 16, 16, 7, 3, 1)); // a volume whose windows all meet padding
    list.back().rank = 3;
    list.back().in[0] = 8;
    list.back().kernel = {7, 6, 3};
    list.back().stride[0] = 3;
    list.back().pad_begin = {4, 2, 0};
    list.back().pad_end = {2, 2, 1};
    const size_t unflipped = list.size();
    for (size_t i = 0; i < unflipped; ++i) {
        list.push_back(list[i]);
        list.back().flip = true;
    }
    return list;
}

std::vector<Named> statistical_convs()
{
    constexpr int64_t batch = 32;
    std::vector<Named> list;
    list.push_back({"3x3 padded", conv2d(batch, 2, 2, 5, 3, 1)});
    list.push_back({"1x1", conv2d(batch, 3, 2, 4, 1, 0)});
    list.push_back({"5x5 padded, flipped", conv2d(batch, 2, 1, 5, 5, 2)});
    list.back().conv.flip = true;
    list.push_back({"stride 2", conv2d(batch, 2, 2, 6, 3, 1)});
    list.back().conv.stride = {1, 2, 2};
    list.push_back({"dilation 2", conv2d(batch, 2, 2, 6, 3, 2)});
    list.back().conv.dilation = {1, 2, 2};
    list.push_back({"asymmetric pad", conv2d(batch, 2, 2, 5, 3, 0)});
    list.back().conv.pad_begin = {0, 2, 0};
    list.back().conv.pad_end = {0, 0, 1};
    list.push_back({"groups", conv2d(batch, 4, 4, 4, 3, 1)});
    list.back().conv.groups = 2;
    list.push_back({"depthwise", conv2d(batch, 3, 3, 5, 3, 1)});
    list.back().conv.groups = 3;
    Conv line;
    line.rank = 1;
    line.batch = batch;
    line.in_channels = 2;
    line.out_channels = 3;
    line.in = {1, 1, 17};
    line.kernel = {1, 1, 4};
    line.pad_begin = {0, 0, 1};
    line.pad_end = {0, 0, 2};
    list.push_back({"rank 1, even kernel", line});
    Conv block = conv2d(batch, 2, 2, 3, 2, 1);
    block.rank = 3;
    block.in = {3, 3, 4};
    block.kernel = {2, 3, 2};
    block.pad_begin = {1, 1, 0};
    block.pad_end = {0, 1, 1};
    list.push_back({"rank 3", block});
    return list;
}

} // namespace cases
