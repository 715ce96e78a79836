// Max pooling in a few bits, forward and backward.
#include <array>
#include <limits>

#include "cases.hpp"
#include "catch.hpp"
#include "oracle.hpp"
#include "support.hpp"

using oracle::Pool;
using oracle::Tensor;
using support::BF16;
using support::Context;
using support::dtype_of;
using support::F16;
using support::Guarded;
using support::OnDevice;
using support::Random;
using support::to;

namespace {

int64_t query(const Pool &pool, xconv_dtype dtype, xconv_pool_query what)
{
    const xconv_pool_desc desc = support::describe(pool, dtype);
    int64_t value = -1;
    REQUIRE_OK(xconv_maxpool_query(&desc, what, &value));
    return value;
}

template <class T> struct Outcome {
    std::vector<T> y;
    std::vector<T> dx;
};

template <class T>
Outcome<T> run(int threads, const Pool &pool, const std::vector<T> &x, const std::vector<T> &dy)
{
    const Context context(threads);
    const xconv_pool_desc desc = support::describe(pool, dtype_of<T>);
    Guarded<T> y(pool.y_count());
    Guarded<T> unkept(pool.y_count());
    Guarded<T> dx(pool.x_count());
    Guarded<unsigned char> index(query(pool, dtype_of<T>, XCONV_POOL_INDEX_BYTES));
    REQUIRE_OK(xconv_maxpool_forward(context.get(), &desc, OnDevice(x).data(), y.data(),
                                     index.data(), index.bytes()));
    REQUIRE_OK(
        xconv_maxpool_forward(context.get(), &desc, OnDevice(x).data(), unkept.data(), nullptr, 0));
    REQUIRE_OK(xconv_maxpool_backward(context.get(), &desc, index.data(), index.bytes(),
                                      OnDevice(dy).data(), dx.data()));
    REQUIRE(index.guard_intact());
    const std::vector<T> with_index = y.take();
    REQUIRE(support::same_bits(with_index, unkept.take()));
    return {with_index, dx.take()};
}

template <class T> void check(const Pool &pool, int threads, uint64_t seed)
{
    INFO(pool.describe() << ", " << threads << " threads");
    Random random(seed);
    // Few different values: many ties.
    const Tensor x = random.small_integers(pool.x_count());
    const Tensor dy = random.small_integers(pool.y_count());
    const oracle::Pooled expected = oracle::maxpool(pool, x);
    const Outcome<T> outcome = run(threads, pool, to<T>(x), to<T>(dy));
    REQUIRE(outcome.y == to<T>(expected.y));
    REQUIRE(outcome.dx == to<T>(oracle::maxpool_backward(pool, expected.winner, dy)));
    const oracle::Axes out = pool.out();
    for (int axis = 0; axis < 3; ++axis) {
        const int64_t size = query(pool, dtype_of<T>, XCONV_POOL_OUT_SIZE_0 + axis);
        REQUIRE(size == (axis < pool.rank ? out[static_cast<size_t>(3 - pool.rank + axis)] : 1));
    }
}

Pool window(int64_t height, int64_t width)
{
    Pool pool;
    pool.batch = 2;
    pool.channels = 3;
    pool.in = {1, 3 * height, 3 * width};
    pool.kernel = {1, height, width};
    pool.stride = pool.kernel;
    return pool;
}

} // namespace

TEMPLATE_TEST_CASE("max pooling meets the oracle", "[maxpool]", float, double, F16, BF16)
{
    Random random(31);
    for (uint64_t i = 0; i < 300; ++i) {
        check<TestType>(cases::draw_pool(random), i % 2 == 0 ? 1 : 3, i);
    }
    for (const int threads : {1, 2, 3, 4}) {
        Pool usual = window(2, 2);
        usual.batch = 9;
        usual.channels = 16;
        usual.in = {1, 28, 28};
        check<TestType>(usual, threads, 1);
        usual.in = {1, 27, 31}; // what does not fill a window is left out
        check<TestType>(usual, threads, 2);
    }
}

TEST_CASE("an index takes as few bits as the window has places", "[maxpool]")
{
    const struct {
        int64_t height, width, bits;
    } rows[] = {{1, 1, 0}, {1, 2, 1},  {2, 2, 2},   {1, 5, 3},   {3, 3, 4},   {4, 4, 4},  {5, 5, 5},
                {8, 8, 6}, {5, 13, 7}, {11, 11, 7}, {15, 15, 8}, {16, 16, 8}, {1, 257, 9}};
    for (const auto &row : rows) {
        const Pool pool = window(row.height, row.width);
        INFO(pool.describe());
        CHECK(query(pool, XCONV_F32, XCONV_POOL_INDEX_BITS) == row.bits);
        const int64_t bits = pool.y_count() * row.bits;
        CHECK(query(pool, XCONV_F32, XCONV_POOL_INDEX_BYTES) == (bits + 7) / 8);
        check<float>(pool, 2, 5);
    }
}

TEST_CASE("windows that 32 bits cannot count are refused", "[maxpool]")
{
    const auto try_window = [](int64_t height, int64_t width) {
        Pool pool; // one element, one window
        pool.in = {1, 1, 1};
        pool.kernel = {1, height, width};
        pool.pad_end = {0, height - 1, width - 1};
        const xconv_pool_desc desc = support::describe(pool, XCONV_F32);
        int64_t bits = 0;
        const xconv_status status = xconv_maxpool_query(&desc, XCONV_POOL_INDEX_BITS, &bits);
        CHECK((status != XCONV_SUCCESS || bits == 32));
        return status;
    };
    CHECK(try_window(65536, 65536) == XCONV_SUCCESS);
    CHECK(try_window(65536, 65537) == XCONV_UNSUPPORTED);
    CHECK(try_window(int64_t{1} << 32, int64_t{1} << 31) == XCONV_OVERFLOW);
    CHECK(try_window(67280421310721, 274177) == XCONV_OVERFLOW); // 2^64 + 1
}

TEMPLATE_TEST_CASE("max pooling: windows of 2 by 2 at every border", "[maxpool]", float, double,
                   F16, BF16)
{
    for (int64_t size = 3; size <= 6; ++size) {
        for (int i = 0; i < 16; ++i) {
            Pool pool = window(2, 2);
            pool.in = {1, size, size + i % 3};
            pool.pad_begin = {0, i & 1, i >> 1 & 1};
            pool.pad_end = {0, i >> 2 & 1, i >> 3 & 1};
            check<TestType>(pool, 1, static_cast<uint64_t>(i));
        }
    }
}

TEMPLATE_TEST_CASE("max pooling: of infinitely small elements the first one wins, not padding",
                   "[maxpool]", float, double, F16, BF16)
{
    using T = TestType;
    Pool pool;
    pool.rank = 3;
    pool.batch = 2;
    pool.in = {3, 4, 5};
    pool.kernel = {3, 3, 3};
    pool.stride = {2, 2, 2};
    pool.pad_begin = {1, 1, 2};
    pool.pad_end = {1, 1, 1};
    const Tensor x(static_cast<size_t>(pool.x_count()), -std::numeric_limits<double>::infinity());
    Random random(3);
    const Tensor dy = random.small_integers(pool.y_count());
    const oracle::Pooled expected = oracle::maxpool(pool, x);
    const Outcome<T> outcome = run<T>(1, pool, to<T>(x), to<T>(dy));
    REQUIRE(outcome.y == to<T>(expected.y));
    REQUIRE(outcome.dx == to<T>(oracle::maxpool_backward(pool, expected.winner, dy)));
}

TEMPLATE_TEST_CASE("max pooling: an index that nobody wrote leads nowhere else", "[maxpool]", float,
                   double, F16, BF16)
{
    using T = TestType;
    Pool pool = window(3, 3);
    pool.pad_begin = pool.pad_end = {0, 2, 2};
    const Context context;
    const xconv_pool_desc desc = support::describe(pool, dtype_of<T>);
    const std::vector<T> dy(static_cast<size_t>(pool.y_count()), T(1));
    for (const auto byte : std::to_array<unsigned char>({0x00, 0x5A, 0xFF})) {
        const support::Bytes index(
            static_cast<size_t>(query(pool, dtype_of<T>, XCONV_POOL_INDEX_BYTES)), byte);
        const int64_t count = pool.x_count(); // and as many on either side
        std::vector<T> dx(static_cast<size_t>(3 * count), T(7));
        {
            const support::InPlace<T> array(dx);
            REQUIRE_OK(xconv_maxpool_backward(context.get(), &desc, OnDevice(index).data(),
                                              index.size(), OnDevice(dy).data(),
                                              array.data() + count));
        }
        for (int64_t i = 0; i < count; ++i) {
            REQUIRE(dx[static_cast<size_t>(i)] == 7);
            REQUIRE(dx[static_cast<size_t>(2 * count + i)] == 7);
        }
    }
}

TEMPLATE_TEST_CASE("max pooling: the first of equals wins, NaN wins over numbers", "[maxpool]",
                   float, double, F16, BF16)
{
    using T = TestType;
    constexpr T nan = std::numeric_limits<T>::quiet_NaN();
    constexpr T inf = std::numeric_limits<T>::infinity();
    Pool pool;
    pool.rank = 1;
    pool.in = {1, 1, 15};
    pool.kernel = {1, 1, 3};
    pool.stride = {1, 1, 3};
    const std::vector<T> x{1, 1, 1, nan, 2, nan, 5, nan, inf, -inf, -inf, -inf, T(-0.0), 0, -1};
    const Outcome<T> outcome = run<T>(1, pool, x, {1, 2, 3, 4, 5});
    CHECK(outcome.y[0] == 1);
    CHECK(std::isnan(outcome.y[1]));
    CHECK(std::isnan(outcome.y[2]));
    CHECK(outcome.y[3] == -inf);
    CHECK(outcome.y[4] == 0);
    CHECK(outcome.dx == std::vector<T>{1, 0, 0, 2, 0, 0, 0, 3, 0, 4, 0, 0, 5, 0, 0});
}

TEST_CASE("max pooling: one window, whatever the stride", "[maxpool]")
{
    for (const int64_t stride : {int64_t{7}, std::numeric_limits<int64_t>::max()}) {
        Pool pool = window(3, 4);
        pool.in = {1, 3, 5};
        pool.stride = {1, stride, stride};
        pool.pad_begin = {0, 2, 1};
        check<float>(pool, 2, 6);
        check<F16>(pool, 1, 7);
    }
}

TEST_CASE("max pooling: padding never wins", "[maxpool]")
{
    Pool pool = window(3, 3);
    pool.in = {1, 4, 5};
    pool.stride = {1, 2, 2};
    pool.pad_begin = {0, 2, 1};
    pool.pad_end = {0, 1, 2};
    Random random(2);
    Tensor x = random.values(pool.x_count());
    for (double &value : x) {
        value -= 10;
    }
    const Tensor dy = random.small_integers(pool.y_count());
    const oracle::Pooled expected = oracle::maxpool(pool, x);
    const Outcome<double> outcome = run(2, pool, x, dy);
    REQUIRE(outcome.y == expected.y);
    REQUIRE(outcome.dx == oracle::maxpool_backward(pool, expected.winner, dy));
}
