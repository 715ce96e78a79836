// ReLU in one bit, forward and backward.
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "oracle.hpp"
#include "support.hpp"

using support::BF16;
using support::Context;
using support::dtype_of;
using support::F16;
using support::Guarded;
using support::InPlace;
using support::OnDevice;
using support::Random;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Activation {
    double negative_slope;
    double ceiling;
};
// Slopes that are powers of two: the product is exact in every type.
constexpr Activation activations[] = {{0, infinity}, {0.25, infinity}, {-0.5, infinity},
                                      {1, infinity}, {0, 6},           {0, 0.5}};

int64_t mask_bytes(int64_t count)
{
    int64_t bytes = -1;
    REQUIRE_OK(xconv_relu_mask_bytes(count, &bytes));
    return bytes;
}

template <class T> struct Outcome {
    std::vector<T> y;
    std::vector<T> dx;
};

template <class T>
Outcome<T> run(int threads, const Activation &kind, const std::vector<T> &x,
               const std::vector<T> &dy)
{
    const Context context(threads);
    const auto count = static_cast<int64_t>(x.size());
    Guarded<T> y(count);
    Guarded<T> dx(count);
    Guarded<unsigned char> mask(mask_bytes(count));
    REQUIRE_OK(xconv_relu_forward(context.get(), dtype_of<T>, count, kind.negative_slope,
                                  kind.ceiling, OnDevice(x).data(), y.data(), mask.data(),
                                  mask.bytes()));
    REQUIRE_OK(xconv_relu_backward(context.get(), dtype_of<T>, count, kind.negative_slope,
                                   mask.data(), mask.bytes(), OnDevice(dy).data(), dx.data()));
    REQUIRE(mask.guard_intact());
    return {y.take(), dx.take()};
}

template <class T> void check(int64_t count, const Activation &kind, int threads)
{
    Random random(static_cast<uint64_t>(count));
    std::vector<T> x(static_cast<size_t>(count));
    for (T &value : x) {
        value = static_cast<T>(8 * random.value() + 1.0 / 4096);
        if (value == 0 || value == kind.ceiling) { // where the derivative is a convention
            value = T(1.25);
        }
    }
    const std::vector<T> dy = support::to<T>(random.values(count));
    INFO(count << " elements, slope " << kind.negative_slope << ", ceiling " << kind.ceiling << ", "
               << threads << " threads");
    const Outcome<T> outcome = run(threads, kind, x, dy);
    for (size_t i = 0; i < x.size(); ++i) {
        const double slope = oracle::relu_derivative(x[i], kind.negative_slope, kind.ceiling);
        const double y = oracle::relu(x[i], kind.negative_slope, kind.ceiling);
        if (outcome.y[i] != static_cast<T>(y) || outcome.dx[i] != static_cast<T>(slope * dy[i])) {
            FAIL("element " << i << ": x " << x[i] << " y " << outcome.y[i] << " dy " << dy[i]
                            << " dx " << outcome.dx[i]);
        }
    }
}

} // namespace

TEMPLATE_TEST_CASE("relu meets the oracle at every length", "[relu]", float, double, F16, BF16)
{
    for (const Activation &kind : activations) {
        for (int64_t count = 1; count <= 70; ++count) {
            check<TestType>(count, kind, 1);
        }
        for (const int64_t count : {1000, 4096, 4099, 100003}) {
            for (const int threads : {1, 2, 3, 4}) {
                check<TestType>(count, kind, threads);
            }
        }
    }
}

TEST_CASE("a relu mask takes one bit an element", "[relu]")
{
    CHECK(mask_bytes(1) == 1);
    CHECK(mask_bytes(8) == 1);
    CHECK(mask_bytes(9) == 2);
    CHECK(mask_bytes(int64_t{1} << 40) == int64_t{1} << 37);
}

TEMPLATE_TEST_CASE("relu at zero, infinities and NaN", "[relu]", float, double, F16, BF16)
{
    using T = TestType;
    constexpr T inf = std::numeric_limits<T>::infinity();
    constexpr T nan = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> x{0, T(-0.0), inf, -inf, nan, -1, std::numeric_limits<T>::denorm_min()};
    const std::vector<T> dy{1, 2, 3, 4, 5, 6, 7};
    const Outcome<T> plain = run<T>(1, {0, infinity}, x, dy);
    CHECK(plain.y[0] == 0);
    CHECK(plain.y[1] == 0);
    CHECK(plain.y[2] == inf);
    CHECK(plain.y[5] == 0);
    CHECK(std::isnan(plain.y[4]));
    CHECK(plain.y[6] == std::numeric_limits<T>::denorm_min());
    const std::vector<T> expected{0, 0, 3, 0, 5, 0, 7};
    CHECK(plain.dx == expected);

    const Outcome<T> leaky = run<T>(1, {0.5, infinity}, x, dy);
    CHECK(leaky.y[3] == -inf);
    CHECK(leaky.y[5] == T(-0.5));
    CHECK(std::isnan(leaky.y[4]));
    CHECK(leaky.dx == std::vector<T>{T(0.5), 1, 3, 2, 5, 3, 7});

    const Outcome<T> capped = run<T>(1, {0, 6}, x, dy);
    CHECK(capped.y[2] == 6);
    CHECK(std::isnan(capped.y[4]));
    CHECK(capped.dx == std::vector<T>{0, 0, 0, 0, 5, 0, 7});
}

TEST_CASE("relu backward passes NaN and infinity of dy, and multiplies by the slope", "[relu]")
{
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Outcome<float> outcome =
        run<float>(1, {0.1, infinity}, {1, 1, -1, -1}, {nan, inf, inf, 3});
    CHECK(std::isnan(outcome.dx[0]));
    CHECK(outcome.dx[1] == inf);
    CHECK(outcome.dx[2] == inf);
    CHECK(std::abs(outcome.dx[3] - 0.3F) <= 0.3F * std::numeric_limits<float>::epsilon());
}

TEMPLATE_TEST_CASE("what relu cuts off stays cut off, even times infinity", "[relu]", float, double,
                   F16, BF16)
{
    using T = TestType;
    constexpr T inf = std::numeric_limits<T>::infinity();
    constexpr T nan = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> x{-1, -2, -3, 1, 7, -1, 6}; // in fours, and one by one
    const std::vector<T> dy{inf, -inf, nan, 5, inf, inf, nan};
    CHECK(run<T>(1, {0, 6}, x, dy).dx == std::vector<T>{0, 0, 0, 5, 0, 0, 0});
}

TEMPLATE_TEST_CASE("relu works in place, and without a mask", "[relu]", float, double, F16, BF16)
{
    using T = TestType;
    const Context context(2);
    Random random(9);
    const std::vector<T> x = support::to<T>(random.values(1001));
    const std::vector<T> dy = support::to<T>(random.values(1001));
    const Outcome<T> apart = run<T>(2, {0.25, infinity}, x, dy);
    const auto in_place = [&](std::vector<T> values, auto &&call) {
        {
            const InPlace<T> array(values);
            REQUIRE_OK(call(array.data()));
        }
        return values;
    };
    support::Guarded<unsigned char> mask(mask_bytes(1001));
    CHECK(in_place(x, [&](T *array) {
              return xconv_relu_forward(context.get(), dtype_of<T>, 1001, 0.25, infinity, array,
                                        array, nullptr, 0);
          }) == apart.y);
    CHECK(in_place(x, [&](T *array) {
              return xconv_relu_forward(context.get(), dtype_of<T>, 1001, 0.25, infinity, array,
                                        array, mask.data(), mask.bytes());
          }) == apart.y);
    CHECK(in_place(dy, [&](T *array) {
              return xconv_relu_backward(context.get(), dtype_of<T>, 1001, 0.25, mask.data(),
                                         mask.bytes(), array, array);
          }) == apart.dx);
}
