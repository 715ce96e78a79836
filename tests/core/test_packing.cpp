// Few-bit storage: every compiled variant and the whole of pack() and unpack() against
// the definition in packing_entry.hpp, number by number, bit by bit.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "../catch.hpp"
#include "../half_range.hpp"
#include "cpu/packing.hpp"
#include "variants.hpp"

using xconv::BFloat16;
using xconv::Dtype;
using xconv::Float16;
using xconv::Packing;
using xconv::Rounding;
using xconv::RoundingStream;
using xconv::Runs;
using xconv::cpu::PackingOps;
using xconv::cpu::SimdVariant;

namespace {

constexpr int widths[] = {1, 2, 4, 8};

/// What a row holds.
enum class Kind { usual, constant, zeros, huge, beyond, denormal, far, nan, infinite };
constexpr Kind kinds[] = {Kind::usual,    Kind::constant, Kind::zeros, Kind::huge,    Kind::beyond,
                          Kind::denormal, Kind::far,      Kind::nan,   Kind::infinite};

template <class In> In number(Kind kind, std::mt19937_64 &bits)
{
    using T = xconv::ComputeType<In>;
    const bool narrow = sizeof(In) == 2;
    const double unit = static_cast<double>(bits() % 20001) / 10000.0 - 1.0;
    const double largest = std::is_same_v<In, Float16> ? 65504.0 : support::largest_half<T>();
    const double least = std::is_same_v<In, Float16> ? 6e-8
                         : narrow                    ? 1e-40
                                  : static_cast<double>(std::numeric_limits<T>::denorm_min());
    switch (kind) {
    case Kind::constant:
        return static_cast<In>(static_cast<T>(-0.7));
    case Kind::zeros: // of either sign
        return static_cast<In>(static_cast<T>(unit < 0 ? -0.0 : 0.0));
    case Kind::huge: // the ends are met
        return static_cast<In>(static_cast<T>(unit < -0.5  ? -largest
                                              : unit > 0.5 ? largest
                                                           : largest * unit));
    case Kind::beyond: // what ranges hold; infinite in 16 bits
        return static_cast<In>(unit > 0.999 ? std::numeric_limits<T>::max() : static_cast<T>(unit));
    case Kind::denormal:
        return static_cast<In>(static_cast<T>(least * static_cast<double>(bits() % 9)));
    case Kind::far: // from zero, close to each other
        return static_cast<In>(static_cast<T>(1000.0 + unit));
    case Kind::nan:
        return static_cast<In>(unit > 0.9 ? std::numeric_limits<T>::quiet_NaN()
                                          : static_cast<T>(unit));
    case Kind::infinite:
        return static_cast<In>(unit > 0.9 ? std::numeric_limits<T>::infinity()
                                          : static_cast<T>(unit));
    default:
        return static_cast<In>(static_cast<T>(unit));
    }
}

template <class In> std::vector<In> numbers_of(Kind kind, int64_t count, uint64_t seed)
{
    std::mt19937_64 bits(seed);
    std::vector<In> values(static_cast<size_t>(count));
    std::generate(values.begin(), values.end(), [&] { return number<In>(kind, bits); });
    return values;
}

/// A packed buffer by the definition, in plain loops.
template <class In>
std::vector<uint8_t> reference(const Packing &packing, const Rounding &rounding,
                               const std::vector<In> &numbers)
{
    using T = xconv::ComputeType<In>;
    std::vector<uint8_t> packed(static_cast<size_t>(packing.bytes(dtype_of<T>)));
    uint8_t *codes = packed.data() + packing.range_bytes(dtype_of<T>);
    for (int64_t row = 0; row < packing.rows; ++row) {
        const In *from = numbers.data() + row * packing.numbers;
        for (int64_t group = 0; group < packing.groups(); ++group) {
            const int64_t begin = group * packing.group;
            const int64_t end = std::min(begin + packing.group, packing.numbers);
            T low = static_cast<T>(from[begin]);
            T high = low;
            bool finite = true;
            for (int64_t i = begin; i < end; ++i) {
                low = std::min(low, static_cast<T>(from[i]));
                high = std::max(high, static_cast<T>(from[i]));
                finite = finite && std::isfinite(static_cast<T>(from[i]));
            }
            const auto range = xconv::KeptRange<T>::around({low, high}, finite);
            std::memcpy(packed.data() +
                            static_cast<size_t>(row * packing.groups() + group) * sizeof range,
                        &range, sizeof range);
            const auto encoder = xconv::Encoder<T>::make(range.widened(), packing.bits);
            for (int64_t i = begin; i < end; ++i) {
                const uint32_t code =
                    encoder.code(static_cast<T>(from[i]), xconv::rounding_word(rounding, row, i));
                const int64_t bit = i * packing.bits;
                uint8_t &byte = codes[row * packing.row_bytes() + bit / 8];
                byte = static_cast<uint8_t>(byte | code << static_cast<unsigned>(bit % 8));
            }
        }
    }
    return packed;
}

/// Number `place` of a row of a packed buffer, by the definition.
template <class T>
T reference_number(const Packing &packing, const std::vector<uint8_t> &packed, int64_t row,
                   int64_t place)
{
    xconv::KeptRange<T> range{};
    const int64_t group = row * packing.groups() + place / packing.group;
    std::memcpy(&range, packed.data() + static_cast<size_t>(group) * sizeof range, sizeof range);
    const int64_t bit = place * packing.bits;
    const uint8_t byte = packed[static_cast<size_t>(packing.range_bytes(dtype_of<T>) +
                                                    row * packing.row_bytes() + bit / 8)];
    const uint32_t levels = (1U << static_cast<unsigned>(packing.bits)) - 1U;
    return xconv::decode(range.widened(), static_cast<uint32_t>(byte) >> (bit % 8) & levels,
                         levels);
}

template <class In> class Packer {
  public:
    using T = xconv::ComputeType<In>;

    Packer(const SimdVariant &variant, int threads) : ops_{threads, &variant} {}

    [[nodiscard]] std::vector<uint8_t> pack(const Packing &packing, const Rounding &rounding,
                                            const std::vector<In> &numbers) const
    {
        constexpr size_t guard = 64;
        const auto bytes = static_cast<size_t>(packing.bytes(dtype_of<T>));
        std::vector<uint8_t> packed(bytes + guard, 0xA5);
        ops_.pack(dtype_of<In>, packing, rounding, numbers.data(), packed.data());
        REQUIRE(std::count(packed.end() - guard, packed.end(), 0xA5) == guard);
        packed.resize(bytes);
        return packed;
    }
    void check_unpack(const Packing &packing, const std::vector<uint8_t> &packed, int64_t first,
                      int64_t rows, int64_t offset, Runs places) const
    {
        const int64_t stride = places.total() + 3;
        std::vector<T> out(static_cast<size_t>(rows * stride), T(77));
        ops_.unpack(dtype_of<T>, packing, packed.data(), first, offset, places,
                    {out.data(), rows, places.total(), stride});
        for (int64_t i = 0; i < rows; ++i) {
            for (int64_t p = 0; p < stride; ++p) {
                const int64_t place =
                    offset + p / places.length * places.stride + p % places.length;
                const T expected = p < places.total()
                                       ? reference_number<T>(packing, packed, first + i, place)
                                       : T(77); // beyond the places: untouched
                const T got = out[static_cast<size_t>(i * stride + p)];
                if (!same_number(got, expected)) {
                    FAIL("number " << place << " of row " << first + i << ": " << got
                                   << " instead of " << expected);
                }
            }
        }
    }

  private:
    PackingOps ops_;
};

std::vector<Packing> packings(int bits)
{
    std::vector<Packing> list;
    for (const int64_t group : {8, 64, 72, 512, 8192}) {
        for (const int64_t numbers : {1, 7, 8, 63, 64, 65, 200, 1027, 9001}) {
            if (group >= 64 || numbers < 300) {
                list.push_back({bits, 3, numbers, group});
            }
        }
    }
    return list;
}

} // namespace

TEMPLATE_TEST_CASE("every variant packs as the definition says", "[packing]", float, double,
                   Float16, BFloat16)
{
    const Rounding rounding{0xFEDCBA9876543210U, RoundingStream::means};
    for (const Kind kind : kinds) {
        for (const int bits : widths) {
            for (const Packing &packing : packings(bits)) {
                const auto numbers = numbers_of<TestType>(kind, packing.rows * packing.numbers, 5);
                const auto expected = reference(packing, rounding, numbers);
                for (const SimdVariant &variant : variants()) {
                    INFO(variant.name << ", kind " << static_cast<int>(kind) << ", " << bits
                                      << " bits, " << packing.numbers << " numbers in groups of "
                                      << packing.group);
                    const Packer<TestType> packer(variant, 1);
                    const auto packed = packer.pack(packing, rounding, numbers);
                    const bool equal = packed == expected;
                    REQUIRE(equal);
                    packer.check_unpack(packing, packed, 0, packing.rows, 0,
                                        Runs::one(packing.numbers));
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("runs of numbers unpack from anywhere in a row", "[packing]", float, double)
{
    for (const int bits : widths) {
        const Packing packing{bits, 5, 4000, 136};
        const auto numbers = numbers_of<TestType>(Kind::usual, packing.rows * packing.numbers, 6);
        for (const SimdVariant &variant : variants()) {
            INFO(variant.name << ", " << bits << " bits");
            const Packer<TestType> packer(variant, 2);
            const auto packed = packer.pack(packing, {3, RoundingStream::numbers}, numbers);
            packer.check_unpack(packing, packed, 2, 3, 0, {4, 1000, 1000});
            packer.check_unpack(packing, packed, 1, 2, 13, {7, 91, 500});
            packer.check_unpack(packing, packed, 0, 5, 3, {3, 1, 1001});
            packer.check_unpack(packing, packed, 4, 1, 3999, {1, 1, 1});
        }
    }
}

TEST_CASE("packing is the same for every number of threads", "[packing]")
{
    const Packing packing{2, 7, 30000, 512};
    const auto numbers = numbers_of<float>(Kind::usual, packing.rows * packing.numbers, 8);
    const SimdVariant &variant = xconv::cpu::best_simd_variant();
    const Rounding rounding{11, RoundingStream::numbers};
    const auto one = Packer<float>(variant, 1).pack(packing, rounding, numbers);
    REQUIRE(Packer<float>(variant, 2).pack(packing, rounding, numbers) == one);
    REQUIRE(Packer<float>(variant, 5).pack(packing, rounding, numbers) == one);
}

TEST_CASE("the packed format stays what it was", "[packing]")
{
    const std::vector<float> numbers{-1.5F, 0.25F, 3.0F,  0.0F, 2.5F, -0.125F,
                                     1.0F,  0.75F, -2.0F, 7.0F, 1e-3F};
    const Rounding rounding{42, RoundingStream::numbers};
    const auto codes = [&](int bits) {
        const Packing packing{bits, 1, static_cast<int64_t>(numbers.size()), 8};
        const auto packed = reference(packing, rounding, numbers);
        return std::vector<int>(packed.begin() + packing.range_bytes(Dtype::f32), packed.end());
    };
    CHECK(codes(1) == std::vector<int>{70, 2});
    CHECK(codes(2) == std::vector<int>{120, 102, 12});
    CHECK(codes(4) == std::vector<int>{96, 95, 77, 121, 240, 3});
    CHECK(codes(8) == std::vector<int>{0, 100, 255, 85, 226, 78, 142, 127, 0, 255, 57});
    const Packing packing{2, 1, static_cast<int64_t>(numbers.size()), 8};
    uint16_t ranges[4];
    std::memcpy(ranges, reference(packing, rounding, numbers).data(), sizeof ranges);
    CHECK(ranges[0] == 0xBFC0); // -1.5
    CHECK(ranges[1] == 0x4040); // 3
    CHECK(ranges[2] == 0xC000); // -2
    CHECK(ranges[3] == 0x40E0); // 7
}
