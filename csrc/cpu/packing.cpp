#include "cpu/packing.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/parallel.hpp"

namespace xconv::cpu {

namespace {

/// Where the parts of a packed buffer start.
template <class T> struct Packed {
    GroupRange<T> *ranges; // [rows][groups]
    uint8_t *codes;        // [rows][row_bytes]
};

template <class T> Packed<T> parts(const Packing &packing, void *packed)
{
    constexpr Dtype dtype = sizeof(T) == 8 ? Dtype::f64 : Dtype::f32;
    return {static_cast<GroupRange<T> *>(packed),
            static_cast<uint8_t *>(packed) + packing.range_bytes(dtype)};
}

template <class T, class In> GroupRange<T> range_of(const In *numbers, int64_t count)
{
    T low = static_cast<T>(numbers[0]);
    T high = low;
    bool finite = true;
    for (int64_t i = 0; i < count; ++i) {
        const T value = static_cast<T>(numbers[i]);
        low = std::min(low, value);
        high = std::max(high, value);
        finite = finite && std::isfinite(value);
    }
    return finite ? GroupRange<T>{low, high} : undefined_range<T>();
}

/// Numbers [begin, begin + count) of a row, a group.
template <class T, class In>
void pack_group(const Packing &packing, const Rounding &rounding, int64_t row, int64_t begin,
                int64_t count, const In *numbers, GroupRange<T> &range, uint8_t *codes)
{
    range = range_of<T>(numbers, count);
    const auto encoder = Encoder<T>::make(range, packing.bits);
    const int64_t per_byte = 8 / packing.bits;
    const uint64_t subsequence =
        static_cast<uint64_t>(rounding.stream) + static_cast<uint64_t>(row);
    for (int64_t i = 0; i < count; i += 8) {
        uint64_t bits = 0;
        for (int64_t j = 0; j < std::min<int64_t>(8, count - i); j += 4) {
            const PhiloxBlock random = philox_block(
                rounding.seed, static_cast<uint64_t>((begin + i + j) / 4), subsequence);
            for (int64_t k = 0; k < std::min<int64_t>(4, count - i - j); ++k) {
                const uint64_t code =
                    encoder.code(static_cast<T>(numbers[i + j + k]), random.word[k]);
                bits |= code << static_cast<uint64_t>((j + k) * packing.bits);
            }
        }
        const int64_t bytes = ceil_div(std::min<int64_t>(8, count - i), per_byte);
        for (int64_t byte = 0; byte < bytes; ++byte) {
            codes[i / per_byte + byte] =
                static_cast<uint8_t>(bits >> static_cast<uint64_t>(8 * byte));
        }
    }
}

template <class T>
T unpack_number(const Packing &packing, const Packed<T> &from, int64_t row, int64_t place)
{
    const uint32_t levels = (1U << static_cast<uint32_t>(packing.bits)) - 1U;
    const int64_t bit = place * packing.bits;
    const uint32_t code =
        static_cast<uint32_t>(from.codes[row * packing.row_bytes() + bit / 8]) >> (bit % 8) &
        levels;
    return decode(from.ranges[row * packing.groups() + place / packing.group], code, levels);
}

} // namespace

void pack(Dtype dtype, const Packing &packing, const Rounding &rounding, const void *numbers,
          void *packed, int threads)
{
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const Packed<T> to = parts<T>(packing, packed);
        const int64_t groups = packing.groups();
        parallel_for(threads, packing.rows * groups, [&](int64_t task) {
            const int64_t row = task / groups;
            const int64_t begin = task % groups * packing.group;
            const int64_t count = std::min(packing.group, packing.numbers - begin);
            pack_group(packing, rounding, row, begin, count,
                       static_cast<const In *>(numbers) + row * packing.numbers + begin,
                       to.ranges[task],
                       to.codes + row * packing.row_bytes() + begin * packing.bits / 8);
        });
    });
}

void unpack(Dtype compute, const Packing &packing, const void *packed, int64_t first,
            int64_t offset, Runs places, Matrix out, int threads)
{
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Packed<T> from = parts<T>(packing, const_cast<void *>(packed)); // NOLINT: only read
        parallel_for(threads, out.rows * places.count, [&](int64_t task) {
            const int64_t row = task / places.count;
            const int64_t run = task % places.count;
            T *target = static_cast<T *>(out.data) + row * out.stride + run * places.length;
            const int64_t begin = offset + run * places.stride;
            for (int64_t p = 0; p < places.length; ++p) {
                target[p] = unpack_number(packing, from, first + row, begin + p);
            }
        });
    });
}

} // namespace xconv::cpu
