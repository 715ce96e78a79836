// What the three oneDNN passes share: how a geometry is written, how tensors
// change layout, and how threads share the batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cpu/onednn_compat.hpp"
#include "geometry.hpp"
#include "workspace.hpp"

namespace xconv::cpu::onednn {

/// Run f; errors of the library become xconv's.
template <class F> decltype(auto) guarded(F &&f)
{
    try {
        return std::forward<F>(f)();
    }
    catch (const dnnl::error &error) {
        fail(error.status == dnnl_out_of_memory ? XCONV_OUT_OF_MEMORY : XCONV_INTERNAL,
             "oneDNN: {} (status {})", error.what(), static_cast<int>(error.status));
    }
}

/// Whether oneDNN makes kernels for all that `isa` has.
bool makes_kernels_for(dnnl::cpu_isa isa);

/// Whether oneDNN's kernels, which count in 32 bits, can hold this geometry.
bool representable(const ConvGeometry &g);

ConvShape conv_shape(const ConvGeometry &g);

enum class Direction { forward, backward_data, backward_filter };

using DataType = dnnl::memory::data_type;
DataType data_type(Dtype dtype);
/// Types that a kernel may multiply the tensors in, best first. Its result is Float32
/// always: the change of layout behind it rounds once.
std::vector<DataType> factor_types(const ConvGeometry &g, Direction direction);

/// How the kernel is asked to keep x and y.
enum class Layout {
    blocked,       // oneDNN's choice: channels in blocks as long as a vector
    channels_last, // channels fastest, none added
    plain          // as the caller has them
};
/// The layout whose kernel, changes of layout included, is the fastest.
Layout preferred_layout(const ConvGeometry &g, Direction direction, DataType factors);
ConvLayouts conv_layouts(const ConvGeometry &g, Layout layout, Direction direction,
                         DataType factors);
/// Layouts for the descriptor of a forward pass that those of backward passes ask
/// for, and look at little.
ConvLayouts hint_layouts(const ConvGeometry &g, const ConvLayouts &layouts, DataType factors);

MemoryDesc channels_last(const dnnl::memory::dims &dims, DataType type);
/// The caller's layouts, slowest axis first.
MemoryDesc plain(const dnnl::memory::dims &dims, DataType type);
/// The same, with `channel` elements from one channel to the next.
MemoryDesc rows_of(const dnnl::memory::dims &dims, int64_t channel, DataType type);

/// Scratch memory in the workspace, none allocated by the library.
dnnl::primitive_attr user_scratchpad();

/// One call's engine, stream and the buffer that kernels scratch in.
struct Call {
    const dnnl::engine &engine;
    dnnl::stream stream;
    void *scratch;

    [[nodiscard]] dnnl::memory memory(const MemoryDesc &desc, const void *data) const
    {
        return {desc, engine, const_cast<void *>(data)}; // oneDNN has no const memory
    }
};

/// A change of layout, and of type where the types differ.
class Relayout {
  public:
    enum class Mode {
        view, // nothing happens where both are the same
        copy,
        add // to what is there
    };

    Relayout() = default;
    Relayout(const dnnl::engine &engine, const MemoryDesc &from, const MemoryDesc &to,
             Mode mode = Mode::view);
    /// Bytes of either side for a workspace; 0 where nothing happens.
    [[nodiscard]] int64_t bytes_from() const { return reorder_ ? size(from_) : 0; }
    [[nodiscard]] int64_t bytes_to() const { return reorder_ ? size(to_) : 0; }
    [[nodiscard]] int64_t scratch() const { return scratch_; }
    /// `from` in the other layout: in `to`, or `from` itself where nothing happens.
    const void *operator()(const Call &call, const void *from, void *to) const;

    static int64_t size(const MemoryDesc &desc) { return static_cast<int64_t>(desc.get_size()); }

  private:
    MemoryDesc from_, to_;
    std::optional<dnnl::reorder> reorder_;
    MemoryDesc scratch_desc_;
    int64_t scratch_ = 0;
};

/// Bytes that a kernel needs around it, 0 for what it does not.
struct Sizes {
    int64_t shared = 0; // by all lanes
    int64_t x = 0, y = 0, sum = 0, part = 0, scratch = 0;
};
Sizes larger_of(const Sizes &a, const Sizes &b);

/// A workspace: what the lanes share, then a Lane for each.
struct Lane {
    void *x, *y;
    float *sum, *part;
    void *scratch;
};
class Space {
  public:
    Space(const Sizes &sizes, int64_t lanes, void *base);
    [[nodiscard]] int64_t bytes() const { return bytes_; }
    [[nodiscard]] void *shared() const { return shared_; }
    [[nodiscard]] Lane lane(int64_t index) const;

  private:
    Sizes sizes_;
    void *shared_;
    std::byte *first_lane_;
    int64_t lane_bytes_;
    int64_t bytes_;
};

/// How threads share a batch.
struct Teams {
    int lanes; // at work on samples of their own
    int size;  // threads of a lane
};
/// All ways worth a try, best first; the last has one lane.
std::vector<Teams> teams_for(const ConvGeometry &g, int threads);

/// The batch in `count` chunks, of samples + 1 each for the first `larger`, of
/// `samples` each for the others.
struct Chunks {
    int64_t count, samples, larger;

    [[nodiscard]] int64_t first_sample(int64_t chunk) const
    {
        return chunk * samples + std::min(chunk, larger);
    }
};
/// At most `samples` in a chunk, and the same number of chunks for every lane
/// where the batch allows.
Chunks cut_batch(int64_t batch, int64_t samples, int lanes);
/// First guess for the samples of a chunk.
int64_t samples_at_a_time(const ConvGeometry &g, Direction direction, int64_t workspace_limit,
                          Teams teams);

/// Version and threading of the library in use.
std::string describe_library();

} // namespace xconv::cpu::onednn
