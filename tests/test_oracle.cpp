// The oracle itself, on examples worked out by hand.
#include <limits>

#include "catch.hpp"
#include "oracle.hpp"

using oracle::Conv;
using oracle::Tensor;

namespace {

Conv line(int64_t size, int64_t kernel)
{
    Conv conv;
    conv.rank = 1;
    conv.in = {1, 1, size};
    conv.kernel = {1, 1, kernel};
    return conv;
}

} // namespace

TEST_CASE("oracle convolves a line with asymmetric padding", "[oracle]")
{
    Conv conv = line(4, 3);
    conv.pad_begin[2] = 2;
    const Tensor x{1, 2, 3, 4};
    const Tensor w{1, 10, 100};
    // Windows over 0 0 1 2 3 4.
    REQUIRE(forward(conv, x, w) == Tensor{100, 210, 321, 432});
    conv.flip = true;
    REQUIRE(forward(conv, x, w) == Tensor{1, 12, 123, 234});
    REQUIRE(forward(conv, x, w, {1000}) == Tensor{1001, 1012, 1123, 1234});
}

TEST_CASE("oracle strides and dilates", "[oracle]")
{
    Conv conv = line(7, 2);
    conv.stride[2] = 2;
    conv.dilation[2] = 3;
    REQUIRE(forward(conv, {1, 2, 3, 4, 5, 6, 7}, {1, 10}) == Tensor{41, 63});
    REQUIRE(backward_filter(conv, {1, 2, 3, 4, 5, 6, 7}, {1, 10}) == Tensor{31, 64});
    REQUIRE(backward_data(conv, {1, 10}, {1, 2}) == Tensor{1, 0, 2, 10, 0, 20, 0});
}

TEST_CASE("oracle convolves an image", "[oracle]")
{
    Conv conv;
    conv.in = {1, 2, 3};
    conv.kernel = {1, 2, 2};
    REQUIRE(forward(conv, {1, 2, 3, 4, 5, 6}, {1, 10, 100, 1000}) == Tensor{5421, 6532});
    REQUIRE(backward_filter(conv, {1, 2, 3, 4, 5, 6}, {1, 10}) == Tensor{21, 32, 54, 65});
}

TEST_CASE("oracle keeps groups apart", "[oracle]")
{
    Conv conv = line(1, 1);
    conv.batch = 2;
    conv.in_channels = 4;
    conv.out_channels = 2;
    conv.groups = 2;
    const Tensor x{1, 2, 3, 4, 5, 6, 7, 8};
    REQUIRE(forward(conv, x, {1, 10, 100, 1000}) == Tensor{21, 4300, 65, 8700});
    REQUIRE(backward_filter(conv, x, {1, 10, 100, 1000}) == Tensor{501, 602, 7030, 8040});
    REQUIRE(backward_bias(conv, {1, 10, 100, 1000}) == Tensor{101, 1010});
}

TEST_CASE("oracle pools, first of equals and NaN winning", "[oracle]")
{
    oracle::Pool pool;
    pool.rank = 1;
    pool.in = {1, 1, 5};
    pool.kernel = {1, 1, 3};
    pool.stride = {1, 1, 2};
    pool.pad_begin = {0, 0, 1};
    const double nan = std::numeric_limits<double>::quiet_NaN();
    REQUIRE(oracle::maxpool(pool, {-1, -2, -2, -2, -5}).winner == std::vector<int64_t>{0, 1});
    REQUIRE(oracle::maxpool(pool, {-1, 7, nan, 9, nan}).winner == std::vector<int64_t>{1, 2});
    REQUIRE(oracle::maxpool_backward(pool, {1, 1}, {3, 4}) == Tensor{0, 7, 0, 0, 0});
}
