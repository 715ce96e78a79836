#include "cpu/packing.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

#include "cpu/parallel.hpp"

namespace xconv::cpu {

namespace {

/// Where the parts of a packed buffer start.
template <class T> struct Packed {
    KeptRange<T> *ranges; // [rows][groups]
    uint8_t *codes;       // [rows][row_bytes]
};

template <class T> Packed<T> parts(const Packing &packing, void *packed)
{
    constexpr Dtype dtype = sizeof(T) == 8 ? Dtype::f64 : Dtype::f32;
    return {static_cast<KeptRange<T> *>(packed),
            static_cast<uint8_t *>(packed) + packing.range_bytes(dtype)};
}

/// Numbers that are read twice, for their range and for their codes, and should be in
/// the first-level cache the second time. Groups may be longer.
constexpr int64_t kTile = 4096;

/// The numbers of a group as T, a tile at a time; 16-bit ones are widened, and tiles
/// that are asked for again are not widened again.
template <class T, class In> class Tiles {
  public:
    Tiles(const SimdVariant &simd, const In *numbers, int64_t count)
        : simd_(simd), numbers_(numbers), count_(count)
    {
    }

    /// visit(at, numbers, length) for each tile, in order.
    template <class Visit> void each(const Visit &visit)
    {
        for (int64_t at = 0; at < count_; at += kTile) {
            const int64_t length = std::min(kTile, count_ - at);
            visit(at, tile(at, length), length);
        }
    }

  private:
    const T *tile(int64_t at, int64_t length)
    {
        if constexpr (std::is_same_v<T, In>) {
            return numbers_ + at;
        }
        else {
            if (at != held_) {
                simd_.halves<In>().widen(numbers_ + at, length, widened_.data());
                held_ = at;
            }
            return widened_.data();
        }
    }

    alignas(64) std::array<T, std::is_same_v<T, In> ? 1 : kTile> widened_; // tile at held_
    int64_t held_ = -1;
    const SimdVariant &simd_;
    const In *numbers_;
    int64_t count_;
};

/// Numbers [begin, begin + count) of a row, a group.
template <class T, class In>
void pack_group(const SimdVariant &simd, const Packing &packing, const Rounding &rounding,
                int64_t row, int64_t begin, int64_t count, const In *numbers, KeptRange<T> *range,
                uint8_t *codes)
{
    const PackingKernels<T> &kernels = simd.packing->kernels<T>();
    Tiles<T, In> tiles(simd, numbers, count);
    const auto first = static_cast<T>(numbers[0]);
    Extremes<T> extremes{first, first, true};
    tiles.each(
        [&](int64_t, const T *tile, int64_t length) { kernels.extend(tile, length, &extremes); });
    *range = KeptRange<T>::around({extremes.low, extremes.high}, extremes.finite);
    const auto encoder = Encoder<T>::make(range->widened(), packing.bits);
    const uint64_t subsequence =
        static_cast<uint64_t>(rounding.stream) + static_cast<uint64_t>(row);
    tiles.each([&](int64_t at, const T *tile, int64_t length) {
        kernels.encode(encoder, packing.bits, rounding.seed, subsequence, begin + at, tile, length,
                       codes + at * packing.bits / 8);
    });
}

/// Numbers [begin, end) of a row.
template <class T>
void unpack_run(const PackingKernels<T> &kernels, const Packing &packing, const Packed<T> &from,
                int64_t row, int64_t begin, int64_t end, T *out)
{
    const KeptRange<T> *ranges = from.ranges + row * packing.groups();
    const uint8_t *codes = from.codes + row * packing.row_bytes();
    const uint32_t levels = (1U << static_cast<uint32_t>(packing.bits)) - 1U;
    for (int64_t i = begin; i < end;) {
        const int64_t group = i / packing.group;
        const GroupRange<T> range = ranges[group].widened();
        const int64_t stop = std::min(end, (group + 1) * packing.group);
        for (; i < stop && i % 8 != 0; ++i) { // up to the beginning of a byte
            const int64_t bit = i * packing.bits;
            const uint32_t code = static_cast<uint32_t>(codes[bit / 8]) >> (bit % 8) & levels;
            *out++ = decode(range, code, levels);
        }
        kernels.decode(range, packing.bits, codes + i * packing.bits / 8, stop - i, out);
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
            pack_group(*simd, packing, rounding, row, begin,
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
