#include "cpu/onednn_pieces.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

#include "cpu/onednn_faults.hpp"

namespace xconv::cpu::onednn {

using dnnl::memory;

namespace {

// Kernels work on blocks of up to this many channels and pad to whole ones.
constexpr int64_t kChannelBlock = 16;
// A chunk's tensors in the kernel's layout, for each thread: small enough to be
// in its second-level cache still when the kernel reads what the change of
// layout wrote, large enough that starting a kernel costs nothing.
constexpr int64_t kChunkBytesPerThread = 1024 * 1024;

/// The real axes of a triple, after some leading sizes.
memory::dims sizes(std::initializer_list<int64_t> leading, const Axes &axes, int rank,
                   int64_t offset = 0)
{
    memory::dims dims(leading);
    for (std::size_t axis = static_cast<std::size_t>(3 - rank); axis < 3; ++axis) {
        dims.push_back(axes[axis] + offset);
    }
    return dims;
}

/// Bytes of a tensor in blocks of channels, as a double, which cannot overflow.
double blocked_bytes(int64_t groups, int64_t channels, int64_t points)
{
    return 4.0 * static_cast<double>(groups) * static_cast<double>(points) *
           static_cast<double>(round_up(channels, kChannelBlock));
}

double sample_bytes(const ConvGeometry &g)
{
    return blocked_bytes(g.groups, g.in_per_group(), g.in_points()) +
           blocked_bytes(g.groups, g.out_per_group(), g.out_points());
}

double filter_bytes(const ConvGeometry &g)
{
    return blocked_bytes(g.groups, g.out_per_group(),
                         round_up(g.in_per_group(), kChannelBlock) * g.kernel_points());
}

bool multiplies_bfloat16() { return makes_kernels_for(dnnl::cpu_isa::avx512_core_bf16); }

} // namespace

bool makes_kernels_for(dnnl::cpu_isa isa)
{
    const auto wanted = static_cast<unsigned>(isa);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & wanted) == wanted;
}

DataType data_type(Dtype dtype)
{
    switch (dtype) {
    case Dtype::f16:
        return DataType::f16;
    case Dtype::bf16:
        return DataType::bf16;
    default:
        return DataType::f32;
    }
}

std::vector<DataType> factor_types(const ConvGeometry &g, Direction direction)
{
    if (!sound(g, direction)) {
        return {};
    }
    if (g.dtype == Dtype::bf16 && multiplies_bfloat16() && sound_in_bfloat16(g, direction)) {
        return {DataType::bf16, DataType::f32};
    }
    return {DataType::f32};
}

bool representable(const ConvGeometry &g)
{
    if (g.dtype == Dtype::f64) {
        return false;
    }
    constexpr int64_t largest = std::numeric_limits<int32_t>::max();
    // Where windows lie in padding alone, its time to prepare a pass grows with the
    // square of the places: minutes for a million.
    constexpr int64_t most_places = int64_t{1} << 16;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const int64_t extent = g.kernel_extent(axis);
        if (g.out[axis] > most_places && std::max(g.pad_begin[axis], g.pad_end[axis]) >= extent) {
            return false;
        }
        const int64_t padded = g.in[axis] + g.pad_begin[axis] + g.pad_end[axis];
        if (std::max({padded, g.stride[axis], g.dilation[axis]}) > largest / 2) {
            return false;
        }
    }
    return sample_bytes(g) < largest && filter_bytes(g) < largest;
}

ConvShape conv_shape(const ConvGeometry &g)
{
    ConvShape shape;
    shape.src = sizes({g.batch, g.in_channels}, g.in, g.rank);
    shape.dst = sizes({g.batch, g.out_channels}, g.out, g.rank);
    shape.weights = g.groups == 1
                        ? sizes({g.out_channels, g.in_channels}, g.kernel, g.rank)
                        : sizes({g.groups, g.out_per_group(), g.in_per_group()}, g.kernel, g.rank);
    shape.bias = {g.out_channels};
    shape.strides = sizes({}, g.stride, g.rank);
    shape.dilates = sizes({}, g.dilation, g.rank, -1);
    shape.pad_begin = sizes({}, g.pad_begin, g.rank);
    // oneDNN wants the padding that is used, not what the last stride leaves over.
    Axes used = g.pad_end;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        const int64_t extent = g.kernel_extent(axis);
        used[axis] = (g.out[axis] - 1) * g.stride[axis] + extent - g.in[axis] - g.pad_begin[axis];
    }
    shape.pad_end = sizes({}, used, g.rank);
    return shape;
}

Layout preferred_layout(const ConvGeometry &g, Direction direction, DataType factors)
{
    // Blocks win when full. From timings of oneDNN 2.6 with AVX-512 for 1 to 64
    // channels, 3x3: part-filled blocks cost up to 3.5 times as much as channels
    // last, except in the forward pass, which reads few channels as they lie.
    const bool few = g.in_channels <= 3;
    if (g.groups > 1 || direction == Direction::forward || factors != DataType::f32) {
        return Layout::blocked;
    }
    if (direction == Direction::backward_filter) {
        return few || g.in_channels % kChannelBlock == 0 ? Layout::blocked : Layout::channels_last;
    }
    if (g.in_channels <= 4 && g.out_channels >= kChannelBlock) {
        return Layout::plain;
    }
    return g.out_channels <= kChannelBlock || g.out_channels % kChannelBlock != 0
               ? Layout::channels_last
               : Layout::blocked;
}

ConvLayouts conv_layouts(const ConvGeometry &g, Layout layout, Direction direction,
                         DataType factors)
{
    const ConvShape shape = conv_shape(g);
    const auto type = [&](Direction made_by) {
        return direction == made_by ? DataType::f32 : factors;
    };
    const auto images = [&](const memory::dims &dims, DataType of) {
        switch (layout) {
        case Layout::channels_last:
            return channels_last(dims, of);
        case Layout::plain:
            return plain(dims, of);
        default:
            return MemoryDesc(dims, of, memory::format_tag::any);
        }
    };
    return {images(shape.src, type(Direction::backward_data)),
            {shape.weights, type(Direction::backward_filter), memory::format_tag::any},
            {shape.bias, DataType::f32, memory::format_tag::a},
            images(shape.dst, type(Direction::forward))};
}

ConvLayouts hint_layouts(const ConvGeometry &g, const ConvLayouts &layouts, DataType factors)
{
    return factors == DataType::f32 ? layouts
                                    : conv_layouts(g, Layout::blocked, Direction::forward, factors);
}

MemoryDesc channels_last(const memory::dims &dims, DataType type)
{
    using Tag = memory::format_tag;
    constexpr Tag tags[] = {Tag::acb, Tag::acdb, Tag::acdeb};
    return {dims, type, tags[dims.size() - 3]};
}

MemoryDesc plain(const memory::dims &dims, DataType type)
{
    using Tag = memory::format_tag;
    constexpr Tag tags[] = {Tag::abc, Tag::abcd, Tag::abcde, Tag::abcdef};
    return {dims, type, tags[dims.size() - 3]};
}

MemoryDesc rows_of(const memory::dims &dims, int64_t channel, DataType type)
{
    memory::dims strides(dims.size(), 1);
    for (size_t axis = dims.size() - 2; axis >= 2; --axis) {
        strides[axis] = strides[axis + 1] * dims[axis + 1];
    }
    strides[1] = channel;
    strides[0] = channel * dims[1];
    return {dims, type, strides};
}

dnnl::primitive_attr user_scratchpad()
{
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attr;
}

Relayout::Relayout(const dnnl::engine &engine, const MemoryDesc &from, const MemoryDesc &to,
                   Mode mode)
    : from_(from), to_(to)
{
    if (mode == Mode::view && from == to) {
        return;
    }
    auto attr = user_scratchpad();
    if (mode == Mode::add) {
        dnnl::post_ops add;
        add.append_sum(1.0F);
        attr.set_post_ops(add);
    }
    const dnnl::reorder::primitive_desc desc(engine, from, engine, to, attr);
    if (type_of(from) != type_of(to) &&
        std::string_view(desc.impl_info_str()).substr(0, 3) != "jit") {
        // Element by element: conv_widened.cpp is much faster.
        throw dnnl::error(dnnl_unimplemented, "a slow change of type");
    }
    scratch_desc_ = desc.scratchpad_desc();
    scratch_ = size(scratch_desc_);
    reorder_.emplace(desc);
}

const void *Relayout::operator()(const Call &call, const void *from, void *to) const
{
    if (!reorder_) {
        return from;
    }
    reorder_->execute(call.stream,
                      {{DNNL_ARG_FROM, call.memory(from_, from)},
                       {DNNL_ARG_TO, call.memory(to_, to)},
                       {DNNL_ARG_SCRATCHPAD, call.memory(scratch_desc_, call.scratch)}});
    return to;
}

Sizes larger_of(const Sizes &a, const Sizes &b)
{
    return {std::max(a.shared, b.shared), std::max(a.x, b.x),       std::max(a.y, b.y),
            std::max(a.sum, b.sum),       std::max(a.part, b.part), std::max(a.scratch, b.scratch)};
}

namespace {

Lane take_lane(Arena &arena, const Sizes &sizes)
{
    Lane lane{};
    lane.x = arena.take(sizes.x);
    lane.y = arena.take(sizes.y);
    lane.sum = arena.take<float>(sizes.sum);
    lane.part = arena.take<float>(sizes.part);
    lane.scratch = arena.take(sizes.scratch);
    return lane;
}

} // namespace

Space::Space(const Sizes &sizes, int64_t lanes, void *base) : sizes_(sizes)
{
    Arena lane(nullptr);
    take_lane(lane, sizes);
    lane_bytes_ = lane.used();
    Arena arena(base);
    shared_ = arena.take(sizes.shared);
    first_lane_ = arena.take<std::byte>(checked_mul(lane_bytes_, lanes, "workspace"));
    bytes_ = arena.used();
}

Lane Space::lane(int64_t index) const
{
    Arena arena(first_lane_ + index * lane_bytes_);
    return take_lane(arena, sizes_);
}

std::vector<Teams> teams_for(const ConvGeometry &g, int threads)
{
    // Lanes on samples of their own never wait for each other. They pay when
    // they all are busy to the end, and when a lane's data outweigh the filter,
    // of which each lane sums a gradient of its own.
    std::vector<Teams> teams;
    const int64_t rounds = ceil_div(g.batch, threads);
    const bool balanced = 8 * g.batch >= 7 * rounds * threads;
    if (threads > 1 && balanced &&
        sample_bytes(g) * static_cast<double>(rounds) > filter_bytes(g)) {
        teams.push_back({static_cast<int>(std::min<int64_t>(threads, g.batch)), 1});
    }
    teams.push_back({1, threads});
    return teams;
}

Chunks cut_batch(int64_t batch, int64_t samples, int lanes)
{
    const int64_t chunks = std::min(batch, round_up(ceil_div(batch, samples), lanes));
    return {chunks, batch / chunks, batch % chunks};
}

int64_t samples_at_a_time(const ConvGeometry &g, Direction direction, int64_t workspace_limit,
                          Teams teams)
{
    // Every chunk passes over the filter once more; keep that a trifle.
    const double wanted =
        std::max(static_cast<double>(kChunkBytesPerThread) * teams.size, 4 * filter_bytes(g));
    // All lanes read one filter; each sums a gradient, and a chunk's part of it.
    const double filters = direction == Direction::backward_filter ? 2.0 * teams.lanes : 1.0;
    const double room =
        (static_cast<double>(workspace_limit) - filters * filter_bytes(g)) / teams.lanes;
    constexpr double largest = std::numeric_limits<int32_t>::max();
    const double sample = sample_bytes(g);
    const auto share = static_cast<double>(ceil_div(g.batch, teams.lanes));
    const double most = std::max(1.0, std::min({share, room / sample, largest / sample}));
    const double samples = std::max(wanted / sample, static_cast<double>(teams.size));
    const auto count = static_cast<int64_t>(std::min(samples, most));
    return count > teams.size ? count - count % teams.size : count;
}

std::string describe_library()
{
    const dnnl_version_t &version = *dnnl_version();
    const auto runtime = [&] {
        switch (version.cpu_runtime) {
        case DNNL_RUNTIME_OMP:
            return "OpenMP";
        case DNNL_RUNTIME_TBB:
            return "TBB";
        case DNNL_RUNTIME_SEQ:
            return "sequential";
        default:
            return "own threads";
        }
    };
    return fmt::format("oneDNN {}.{}.{} ({})", version.major, version.minor, version.patch,
                       runtime());
}

} // namespace xconv::cpu::onednn
