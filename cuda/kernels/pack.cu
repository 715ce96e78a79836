// pack: numbers rounded at random to a few bits. Some threads, a power of two, share
// a group; each holds 8 neighbouring numbers at a time, which make whole bytes. The
// group is read for its range and again, from the cache, for its codes.
#include <limits>

#include "cuda/kernels/packed.hpp"
#include "cuda/kernels/probe_tile.hpp"
#include "cuda/launch.hpp"
#include "cuda/ops_packing.hpp"

namespace xconv::cuda {

namespace {

constexpr int kCell = 8; // numbers of a thread at a time

/// Of a group with a number that is not finite.
template <class T> XCONV_DEVICE GroupRange<T> no_range()
{
    constexpr T nan = std::numeric_limits<T>::quiet_NaN();
    return {nan, nan};
}

/// Covers both, where both are ranges.
template <class T> XCONV_DEVICE GroupRange<T> both(GroupRange<T> a, GroupRange<T> b)
{
    if (a.low != a.low || b.low != b.low) {
        return no_range<T>();
    }
    return {b.low < a.low ? b.low : a.low, b.high > a.high ? b.high : a.high};
}

template <class T> XCONV_DEVICE GroupRange<T> empty_range()
{
    constexpr T infinity = std::numeric_limits<T>::infinity();
    return {infinity, -infinity};
}

template <class X> struct Pack {
    using T = ComputeType<X>;
    static constexpr int threads = 256;
    struct Shared {
        GroupRange<T> range[threads];
    };
    Rounding rounding;
    const X *numbers;
    Packed<T> packed;
    int64_t groups; // of all rows
    int lanes;      // of a group: a power of two
    bool vectors;
    bool whole_cells; // codes of a cell can be stored at once

    struct Group {
        int64_t row;
        int64_t index; // among all
        int64_t begin; // in its row
        int64_t count;
    };
    XCONV_DEVICE Group group_of(int64_t block, int thread) const
    {
        const int64_t index = block * (threads / lanes) + thread / lanes;
        const int64_t begin = index % packed.groups * packed.group;
        const int64_t rest = packed.numbers - begin;
        return {index / packed.groups, index, begin, rest < packed.group ? rest : packed.group};
    }

    XCONV_DEVICE GroupRange<T> range_of(const Group &group, int lane) const
    {
        constexpr T largest = std::numeric_limits<T>::max();
        GroupRange<T> range = empty_range<T>();
        const X *from = numbers + group.row * packed.numbers + group.begin;
        for (int64_t i = 4 * lane; i < group.count; i += 4 * lanes) {
            const Vector<T, 4> four = load<4>(from, i, group.count, vectors);
            XCONV_UNROLL
            for (int k = 0; k < 4; ++k) {
                const T value = four.at[k];
                if (i + k < group.count) {
                    const bool finite = value >= -largest && value <= largest;
                    range = both(range, finite ? GroupRange<T>{value, value} : no_range<T>());
                }
            }
        }
        return range;
    }

    XCONV_DEVICE uint64_t codes_of(const Group &group, const Encoder<T> &encoder,
                                   int64_t cell) const
    {
        const X *from = numbers + group.row * packed.numbers + group.begin;
        uint64_t codes = 0;
        XCONV_UNROLL
        for (int part = 0; part < kCell; part += 4) {
            const int64_t i = cell + part;
            const Vector<T, 4> four = load<4>(from, i, group.count, vectors);
            const PhiloxBlock random =
                draw_block(rounding.seed, (group.begin + i) / 4,
                           static_cast<int64_t>(static_cast<uint64_t>(rounding.stream) +
                                                static_cast<uint64_t>(group.row)));
            XCONV_UNROLL
            for (int k = 0; k < 4; ++k) {
                if (i + k < group.count) {
                    codes |= static_cast<uint64_t>(encoder.code(four.at[k], random.word[k]))
                             << ((part + k) * packed.bits);
                }
            }
        }
        return codes;
    }

    template <class Integer> XCONV_DEVICE static void store_as(uint64_t codes, uint8_t *to)
    {
        require_aligned<sizeof(Integer)>(to);
        const auto value = static_cast<Integer>(codes);
        std::memcpy(__builtin_assume_aligned(static_cast<void *>(to), sizeof value), &value,
                    sizeof value);
    }

    /// Writes the bytes of `count` codes.
    XCONV_DEVICE void write(uint64_t codes, uint8_t *to, int64_t count) const
    {
        if (whole_cells && count >= kCell) {
            switch (packed.bits) {
            case 8:
                return store_as<uint64_t>(codes, to);
            case 4:
                return store_as<uint32_t>(codes, to);
            case 2:
                return store_as<uint16_t>(codes, to);
            default:
                return store_as<uint8_t>(codes, to);
            }
        }
        const int64_t bits = (count < kCell ? count : kCell) * packed.bits;
        for (int byte = 0; 8 * byte < bits; ++byte) {
            to[byte] = static_cast<uint8_t>(codes >> (8 * byte));
        }
    }

    template <class Team> XCONV_DEVICE void operator()(Team &team, Shared &shared) const
    {
        const int64_t block = team.block().x;
        team.each([&](int thread) {
            const Group group = group_of(block, thread);
            shared.range[thread] =
                group.index < groups ? range_of(group, thread % lanes) : empty_range<T>();
        });
        for (int half = lanes / 2; half > 0; half /= 2) {
            team.each([&](int thread) {
                if (thread % lanes < half) {
                    shared.range[thread] = both(shared.range[thread], shared.range[thread + half]);
                }
            });
        }
        team.each([&](int thread) {
            const Group group = group_of(block, thread);
            if (group.index >= groups) {
                return;
            }
            const GroupRange<T> met = shared.range[thread / lanes * lanes];
            const auto range = KeptRange<T>::around(met, met.low == met.low);
            if (thread % lanes == 0) {
                packed.ranges[group.index] = range;
            }
            const auto encoder = Encoder<T>::make(range.widened(), packed.bits);
            uint8_t *to =
                packed.codes + group.row * packed.row_bytes + group.begin * packed.bits / 8;
            for (int64_t cell = kCell * (thread % lanes); cell < group.count;
                 cell += kCell * lanes) {
                write(codes_of(group, encoder, cell), to + cell * packed.bits / 8,
                      group.count - cell);
            }
        });
    }
};

/// Threads for a group: one for each of its cells while there are so many.
int lanes_for(int64_t group, int threads)
{
    int lanes = 1;
    while (lanes < threads && lanes * kCell < group) {
        lanes *= 2;
    }
    return lanes;
}

} // namespace

void pack(Stream stream, Dtype dtype, const Packing &packing, const Rounding &rounding,
          const void *numbers, void *packed)
{
    with_tensor_type(dtype, [&](auto tag) {
        using X = typename decltype(tag)::type;
        using Kernel = Pack<X>;
        const auto to = Packed<typename Kernel::T>::make(packing, packed);
        const int lanes = lanes_for(std::min(packing.group, packing.numbers), Kernel::threads);
        const int64_t groups = checked_mul(packing.rows, packing.groups(), "groups");
        // A cell of 8 codes takes `bits` bytes.
        launch(Kernel{rounding, static_cast<const X *>(numbers), to, groups, lanes,
                      in_vectors<X>(numbers, 0, packing.numbers, 4),
                      in_vectors<uint8_t>(to.codes, 0, to.row_bytes, packing.bits)},
               {ceil_div(groups, Kernel::threads / lanes)}, stream);
    });
}

} // namespace xconv::cuda
