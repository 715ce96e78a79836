#include "cpu/packing.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

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

/// Numbers that are read twice, for their range and for their codes, and should be in
/// the first-level cache the second time. Groups may be longer.
constexpr int64_t kTile = 4096;

/// `count` <= kTile numbers as T; in `widened` when they are not yet.
template <class T, class In> const T *numbers_in(const In *from, int64_t count, T *widened)
{
    if constexpr (std::is_same_v<T, In>) {
        return from;
    }
    else {
        std::copy_n(from, count, widened);
        return widened;
    }
}

/// Numbers [begin, begin + count) of a row, a group.
template <class T, class In>
void pack_group(const PackingKernels<T> &kernels, const Packing &packing, const Rounding &rounding,
                int64_t row, int64_t begin, int64_t count, const In *numbers, GroupRange<T> *range,
                uint8_t *codes)
{
    alignas(64) std::array<T, std::is_same_v<T, In> ? 1 : kTile> widened;
    const auto tile = [&](int64_t at) {
        return numbers_in<T>(numbers + at, std::min(kTile, count - at), widened.data());
    };
    const auto first = static_cast<T>(numbers[0]);
    Extremes<T> extremes{first, first, true};
    for (int64_t at = 0; at < count; at += kTile) {
        kernels.extend(tile(at), std::min(kTile, count - at), &extremes);
    }
    *range = group_range(extremes.low, extremes.high, extremes.finite);
    const auto encoder = Encoder<T>::make(*range, packing.bits);
    const uint64_t subsequence =
        static_cast<uint64_t>(rounding.stream) + static_cast<uint64_t>(row);
    for (int64_t at = 0; at < count; at += kTile) {
        kernels.encode(encoder, packing.bits, rounding.seed, subsequence, begin + at, tile(at),
                       std::min(kTile, count - at), codes + at * packing.bits / 8);
    }
}

/// Numbers [begin, end) of a row.
template <class T>
void unpack_run(const PackingKernels<T> &kernels, const Packing &packing, const Packed<T> &from,
                int64_t row, int64_t begin, int64_t end, T *out)
{
    const GroupRange<T> *ranges = from.ranges + row * packing.groups();
    const uint8_t *codes = from.codes + row * packing.row_bytes();
    const uint32_t levels = (1U << static_cast<uint32_t>(packing.bits)) - 1U;
    for (int64_t i = begin; i < end;) {
        const int64_t group = i / packing.group;
        const int64_t stop = std::min(end, (group + 1) * packing.group);
        for (; i < stop && i % 8 != 0; ++i) { // up to the beginning of a byte
            const int64_t bit = i * packing.bits;
            const uint32_t code = static_cast<uint32_t>(codes[bit / 8]) >> (bit % 8) & levels;
            *out++ = decode(ranges[group], code, levels);
        }
        kernels.decode(ranges[group], packing.bits, codes + i * packing.bits / 8, stop - i, out);
        out += stop - i;
        i = stop;
    }
}

} // namespace

void PackingOps::pack(Dtype dtype, const Packing &packing, const Rounding &rounding,
                      const void *numbers, void *packed) const
{
    with_tensor_type(dtype, [&](auto tag) {
        using In = typename decltype(tag)::type;
        using T = ComputeType<In>;
        const Packed<T> to = parts<T>(packing, packed);
        const int64_t groups = packing.groups();
        const double count =
            static_cast<double>(packing.rows) * static_cast<double>(packing.numbers);
        constexpr double cost = 16; // of a number
        parallel_for(threads_worth(count * cost, threads), packing.rows * groups, [&](int64_t i) {
            const int64_t row = i / groups;
            const int64_t begin = i % groups * packing.group;
            pack_group(simd->packing->kernels<T>(), packing, rounding, row, begin,
                       std::min(packing.group, packing.numbers - begin),
                       static_cast<const In *>(numbers) + row * packing.numbers + begin,
                       to.ranges + i,
                       to.codes + row * packing.row_bytes() + begin * packing.bits / 8);
        });
    });
}

void PackingOps::unpack(Dtype compute, const Packing &packing, const void *packed, int64_t first,
                        int64_t offset, Runs places, Matrix out) const
{
    if (places.length == places.stride) {
        places = Runs::one(places.total());
    }
    with_type(compute, [&](auto tag) {
        using T = typename decltype(tag)::type;
        const Packed<T> from = parts<T>(packing, const_cast<void *>(packed)); // NOLINT: only read
        const int64_t pieces = ceil_div(places.length, kTile);
        const double count = static_cast<double>(out.rows) * static_cast<double>(places.total());
        constexpr double cost = 2; // of a number
        parallel_for(threads_worth(count * cost, threads), out.rows * places.count * pieces,
                     [&](int64_t task) {
                         const int64_t row = task / pieces / places.count;
                         const int64_t run = task / pieces % places.count;
                         const int64_t at = task % pieces * kTile;
                         const int64_t begin = offset + run * places.stride + at;
                         const int64_t length = std::min(kTile, places.length - at);
                         unpack_run(simd->packing->kernels<T>(), packing, from, first + row, begin,
                                    begin + length,
                                    static_cast<T *>(out.data) + row * out.stride +
                                        run * places.length + at);
                     });
    });
}

} // namespace xconv::cpu
