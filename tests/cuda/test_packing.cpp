// pack and unpack, run on the CPU, against the CPU backend's: bit for bit.
#include <cstring>
#include <limits>

#include "cpu/packing.hpp"
#include "cuda/ops_packing.hpp"
#include "kernel_cases.hpp"

namespace cuda = xconv::cuda;
using namespace kernel_cases;
using xconv::Packing;
using xconv::Rounding;

namespace {

constexpr xconv::cuda::Stream stream = nullptr;

xconv::cpu::PackingOps cpu() { return {1, &xconv::cpu::best_simd_variant()}; }

/// Numbers with everything in them that a group may hold.
template <class X> std::vector<X> difficult(Random &random, const Packing &packing)
{
    auto numbers = random.normals<X>(packing.rows * packing.numbers);
    const auto put = [&](float value) {
        numbers[static_cast<size_t>(random.between(0, static_cast<int64_t>(numbers.size()) - 1))] =
            static_cast<X>(value);
    };
    switch (random.between(0, 6)) {
    case 0:
        put(std::numeric_limits<float>::infinity());
        break;
    case 1:
        put(-std::numeric_limits<float>::infinity());
        put(std::numeric_limits<float>::quiet_NaN());
        break;
    case 2:
        put(3.0e38F); // infinite as Float16
        put(-3.0e38F);
        break;
    case 5:
        put(-std::numeric_limits<float>::max()); // infinite as a range's end
        break;
    case 3:
        std::fill(numbers.begin(), numbers.end(), static_cast<X>(-2.5F));
        break;
    case 4:
        for (X &number : numbers) {
            number = static_cast<X>(static_cast<float>(number) * 1.0e-39F);
        }
        break;
    default:
        break;
    }
    return numbers;
}

Packing random_packing(Random &random)
{
    return {random.one_of<int>({1, 2, 4, 8}), random.between(1, 5),
            random.one_of<int64_t>({1, 7, 8, 63, 512, 1000, 5003}),
            random.one_of<int64_t>({8, 24, 64, 512, 4096})};
}

} // namespace

TEMPLATE_TEST_CASE("Numbers are packed to the same bits as on the CPU", "[pack]", float, double,
                   xconv::Float16, xconv::BFloat16)
{
    Random random(61);
    const Dtype dtype = dtype_of<TestType>();
    for (int i = 0; i < 150; ++i) {
        const Packing packing = random_packing(random);
        const Rounding rounding{random.seed(), i % 2 == 0 ? xconv::RoundingStream::numbers
                                                          : xconv::RoundingStream::means};
        const auto numbers = difficult<TestType>(random, packing);
        const auto bytes = static_cast<size_t>(packing.bytes(xconv::compute_dtype(dtype)));
        std::vector<uint8_t> got(bytes, 0xAB);
        std::vector<uint8_t> expected(bytes, 0xCD);
        cuda::pack(stream, dtype, packing, rounding, numbers.data(), got.data());
        cpu().pack(dtype, packing, rounding, numbers.data(), expected.data());
        INFO(packing.bits << " bits, " << packing.rows << " x " << packing.numbers << ", groups of "
                          << packing.group);
        REQUIRE(got == expected);
    }
}

TEMPLATE_TEST_CASE("Any window is unpacked as on the CPU", "[pack]", float, double)
{
    Random random(62);
    const Dtype compute = dtype_of<TestType>();
    for (int i = 0; i < 150; ++i) {
        const Packing packing = random_packing(random);
        const auto numbers = difficult<TestType>(random, packing);
        std::vector<uint8_t> packed(static_cast<size_t>(packing.bytes(compute)));
        const Rounding rounding{random.seed(), xconv::RoundingStream::numbers};
        cpu().pack(compute, packing, rounding, numbers.data(), packed.data());

        const int64_t first = random.between(0, packing.rows - 1);
        const int64_t rows = random.between(1, packing.rows - first);
        const int64_t count = random.between(1, std::min<int64_t>(3, packing.numbers));
        const int64_t run = packing.numbers / count;
        const Runs places{count, random.between(1, run), run};
        const int64_t offset = random.between(0, run - places.length);
        const int64_t stride = places.total() + random.one_of<int64_t>({0, 3, 4});
        Output<TestType> got(rows, places.total(), stride);
        Output<TestType> expected(rows, places.total(), stride);
        cuda::unpack(stream, compute, packing, packed.data(), first, offset, places, got.matrix());
        cpu().unpack(compute, packing, packed.data(), first, offset, places, expected.matrix());
        INFO(packing.bits << " bits, " << places.count << " runs of " << places.length);
        REQUIRE(std::memcmp(got.data.data(), expected.data.data(),
                            got.data.size() * sizeof(TestType)) == 0);
    }
}
