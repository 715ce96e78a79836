#include "cpu/conv_signs.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "cpu/block_ones.hpp"
#include "cpu/line.hpp"
#include "cpu/parallel.hpp"
#include "cpu/signs.hpp"
#include "probe_entry.hpp"
#include "workspace.hpp"

namespace xconv::cpu {

using namespace signs;

namespace {

/// std::copy_n for rows of an image: short, and many.
inline void copy_row(const float *from, int64_t count, float *to)
{
    constexpr int64_t vector = 8;
    constexpr size_t bytes = vector * sizeof(float);
    if (count < vector) {
        for (int64_t i = 0; i < count; ++i) {
            to[i] = from[i];
        }
        return;
    }
    for (int64_t i = 0; i + vector < count; i += vector) {
        std::memcpy(to + i, from + i, bytes);
    }
    std::memcpy(to + count - vector, from + count - vector, bytes);
}

/// Places of the line that are worked on at a time, so that their probes and
/// cotangents are in the second-level cache for all taps.
constexpr int64_t kStrip = 1024;
/// Bytes of sums that stay there beside them: of the gradient, and of y.
constexpr int64_t kGroupBytes = 1 << 20;
constexpr int64_t kOnesBytes = 1 << 19;
/// Products of a group of channels for each time that it draws the probes, at least.
constexpr int64_t kLeastProducts = 32;

class SignFilter final : public ProbeFilterPass {
  public:
    SignFilter(const ConvGeometry &g, int64_t workspace_limit, int threads, const SimdVariant &simd)
        : g_(g), line_(g), simd_(simd), threads_(threads), closed_(line_.closed(g)),
          length_(closed_ ? g.out_points() : line_.length),
          strip_(round_up(std::min(length_, std::max(kStrip, 4 * line_.reach())),
                          closed_ ? g.out[2] : kDepth)),
          strips_(ceil_div(length_, strip_)), x_blocks_(ceil_div(g.in_channels, kLanes)),
          y_blocks_(ceil_div(g.out_channels, kLanes)), tiles_(x_blocks_ * g.kernel_points())
    {
        // Threads take output channels of their own, or, where there are few, strips of
        // their own, and each sums a gradient.
        const int64_t tasks = g.batch * strips_;
        const bool share_strips = tasks % threads == 0 || tasks >= 8 * threads;
        by_strips_ = y_blocks_ < threads || (y_blocks_ < 8 * threads && share_strips);
        lanes_ = static_cast<int>(std::min<int64_t>(threads, by_strips_ ? tasks : y_blocks_));

        const int64_t most = by_strips_ ? y_blocks_ : ceil_div(y_blocks_, lanes_);
        const int64_t least = std::min(ceil_div(kLeastProducts, g.kernel_points()), most);
        group_ = std::clamp(kGroupBytes / block_bytes(), least, most);
        while (group_ > least && workspace() > workspace_limit) {
            group_ = std::max(group_ / 2, least);
        }
        group_ = even_part(most, group_);
    }

    [[nodiscard]] int64_t workspace() const override
    {
        Arena arena(nullptr);
        take(arena);
        return arena.used();
    }
    [[nodiscard]] std::string describe() const override
    {
        return fmt::format("signs on matrix units, {} thread(s) by {}, {} of {} places at a time",
                           lanes_, by_strips_ ? "places" : "channels", strip_, length_);
    }
    void run(const Backend &, const ProbeImages &z, const void *dy, bool accumulate, void *dw,
             void *workspace) const override
    {
        const auto unseen = [](Interval) { return [](const float *, int64_t, int64_t) {}; };
        run_groups(z, dy, accumulate, dw, workspace, group_, unseen);
    }

    [[nodiscard]] bool sums_ones() const override { return g_.batch == 1 && !by_strips_; }
    void run_and_sum(const Backend &, const ProbeImages &z, const void *dy, bool accumulate,
                     void *dw, void *ones, void *workspace) const override
    {
        const Meetings meetings = meetings_of(g_);
        const int64_t most = std::max<int64_t>(kOnesBytes / BlockOnes::bytes(meetings), 1);
        const int64_t group = strips_ == 1 ? group_ : std::min(group_, most);
        run_groups(z, dy, accumulate, dw, workspace, group, [&](Interval blocks) {
            return [sums = BlockOnes(g_, meetings, simd_, blocks.first, blocks.last - blocks.first,
                                     strips_, static_cast<float *>(ones))](
                       const float *y, int64_t block, int64_t strip) mutable {
                sums.add(y, block, strip);
            };
        });
    }

  private:
    /// A row of y, or a part of it: `count` points from `place` on, `offset` places behind
    /// the strip's first.
    struct Run {
        int64_t offset, place, count;
    };
    /// What a thread works in.
    struct Buffers {
        float *sums; // of a group
        uint32_t *words, *pairs;
        float *places;
        uint16_t *split;
    };

    /// Whether y has to be spread along its line.
    [[nodiscard]] bool gathers() const { return length_ != g_.out_points(); }
    [[nodiscard]] Interval share(int64_t count, int64_t lane) const
    {
        return {count * lane / lanes_, count * (lane + 1) / lanes_};
    }
    /// Of the sums of a block of y.
    [[nodiscard]] int64_t block_sums() const { return tiles_ * kSumTile; }
    [[nodiscard]] int64_t block_bytes() const
    {
        return block_sums() * static_cast<int64_t>(sizeof(float));
    }
    /// Where on the line some places of y end, with what lies between their rows.
    [[nodiscard]] int64_t on_line(int64_t places) const
    {
        return closed_ ? places / g_.out[2] * line_.row : places;
    }
    /// Places of x that a strip meets, and those on either side that pairs spill to.
    [[nodiscard]] int64_t pair_places_count() const { return on_line(strip_) + line_.reach() + 3; }
    [[nodiscard]] int64_t word_count() const
    {
        return round_up(pair_places_count(), kSignsPerBlock) / 32 + 4;
    }

    std::vector<Buffers> take(Arena &arena) const
    {
        constexpr int64_t word = sizeof(uint32_t);
        std::vector<Buffers> lanes(static_cast<size_t>(lanes_));
        for (Buffers &b : lanes) {
            b.sums = arena.take<float>(group_ * block_bytes());
            b.words = arena.take<uint32_t>(kLanes * word_count() * word);
            b.pairs = arena.take<uint32_t>(x_blocks_ * pair_places_count() * kLanes * word);
            b.places = arena.take<float>(gathers() ? kLanes * strip_ * word : 0);
            b.split = arena.take<uint16_t>(strip_ / kDepth * kSplitTile *
                                           static_cast<int64_t>(sizeof(uint16_t)));
        }
        return lanes;
    }

    /// The gradient, in groups of blocks of y: their sums stay in the cache until they
    /// are written. make_visit(group) is what contract() calls.
    template <class MakeVisit>
    void run_groups(const ProbeImages &z, const void *dy, bool accumulate, void *dw,
                    void *workspace, int64_t group, MakeVisit &&make_visit) const
    {
        Arena arena(workspace);
        const std::vector<Buffers> buffers = take(arena);
        const auto *y = static_cast<const float *>(dy);
        auto *out = static_cast<float *>(dw);
        const Interval strips{0, g_.batch * strips_};
        const auto for_groups = [&](Interval blocks, const auto &f) {
            for (int64_t first = blocks.first; first < blocks.last; first += group) {
                f(Interval{first, std::min(first + group, blocks.last)});
            }
        };
        if (by_strips_) {
            for_groups({0, y_blocks_}, [&](Interval blocks) {
                parallel_for(lanes_, lanes_, [&](int64_t lane) {
                    contract(z, y, share(strips.last, lane), blocks,
                             buffers[static_cast<size_t>(lane)], make_visit(blocks));
                });
                write_sums(buffers, blocks, accumulate, out, threads_);
            });
            return;
        }
        parallel_for(lanes_, lanes_, [&](int64_t lane) {
            const Buffers &own = buffers[static_cast<size_t>(lane)];
            for_groups(share(y_blocks_, lane), [&](Interval blocks) {
                contract(z, y, strips, blocks, own, make_visit(blocks));
                write_sums({&own, 1}, blocks, accumulate, out, 1);
            });
        });
    }

    /// sums[y block][tap][x block] = sum over the strips of these channels of y;
    /// visit(image of y, block, strip) while they are in the cache.
    template <class Visit>
    void contract(const ProbeImages &z, const float *dy, Interval strips, Interval blocks,
                  const Buffers &buffers, Visit &&visit) const
    {
        const Units units(g_.out_channels);
        const int64_t block_pairs = pair_places_count() * kLanes;
        std::vector<const uint32_t *> paired;
        for (const int64_t tap : line_.taps) {
            for (int64_t block = 0; block < x_blocks_; ++block) {
                paired.push_back(buffers.pairs + block * block_pairs + (1 + tap) * kLanes);
            }
        }
        Product product{};
        product.split = buffers.split;
        product.split_step = kSplitTile;
        product.paired = paired.data();
        product.paired_row = 2 * kLanes;
        product.paired_step = kDepth * kLanes;
        product.run = (closed_ ? g_.out[2] : strip_) / kDepth;
        product.gap = closed_ ? (line_.row - g_.out[2]) * kLanes : 0;
        product.count = tiles_;
        product.sums_row = kLanes;
        product.sums_tile = kSumTile;
        std::vector<Run> rows;
        for (int64_t task = strips.first; task < strips.last; ++task) {
            const int64_t image = task / strips_;
            const int64_t from = task % strips_ * strip_;
            const int64_t length = std::min(strip_, length_ - from);
            product.steps = ceil_div(length, kDepth);
            const int64_t meets = on_line(closed_ ? length : product.steps * kDepth);
            for (int64_t block = 0; block < x_blocks_; ++block) {
                pair_strip(z, image, block, on_line(from) - line_.lead, meets + line_.reach(),
                           buffers, buffers.pairs + block * block_pairs + kLanes);
            }
            product.accumulate = task > strips.first;
            if (gathers() && (strips_ > 1 || rows.empty())) {
                rows = rows_of_strip(from, length, buffers);
            }
            for (int64_t block = blocks.first; block < blocks.last; ++block) {
                const float *y = dy + image * g_.y_sample();
                split_strip(y, block, from, length, rows, buffers);
                visit(y, block, task % strips_);
                product.sums = buffers.sums + (block - blocks.first) * block_sums();
                multiply_signs(product);
            }
        }
    }

    /// Pairs of a block of channels of an image of probes, at places [from, from +
    /// count) of the line of x.
    void pair_strip(const ProbeImages &z, int64_t image, int64_t block, int64_t from, int64_t count,
                    const Buffers &buffers, uint32_t *pairs) const
    {
        // The points of the image on this strip follow one another.
        int64_t first = -1;
        int64_t last = 0;
        line_.for_runs(g_.in, from, count + 1, [&](int64_t, int64_t place, int64_t run) {
            if (place >= 0) {
                first = first < 0 ? place : first;
                last = place + run;
            }
        });
        if (first >= 0) {
            draw_block(z, image, block, first, last - first, buffers);
        }
        line_.for_runs(g_.in, from, count + 1, [&](int64_t offset, int64_t place, int64_t run) {
            if (place >= 0) {
                pair_places(buffers.words, place - first, run, pairs + offset * kLanes);
            }
            else {
                std::fill_n(pairs + offset * kLanes, run * kLanes, 0U);
            }
        });
    }

    /// words of points [first, first + count) of a block of channels.
    void draw_block(const ProbeImages &z, int64_t image, int64_t block, int64_t first,
                    int64_t count, const Buffers &buffers) const
    {
        int64_t rows[kLanes];
        int64_t columns[kLanes];
        for (int64_t lane = 0; lane < kLanes; ++lane) {
            // Lanes beyond the channels repeat the last one, to no effect.
            const int64_t channel = std::min(block * kLanes + lane, g_.in_channels - 1);
            rows[lane] = z.window.row + channel * z.channel_rows + first;
            columns[lane] = z.window.column + channel * z.channel_columns + image * z.image_columns;
        }
        simd_.draw_bits(z.window.seed, rows, columns, count, buffers.words);
    }

    /// The rows of y at places [from, from + length) of its line; and 0 in all buffers of
    /// places for what lies between them.
    [[nodiscard]] std::vector<Run> rows_of_strip(int64_t from, int64_t length,
                                                 const Buffers &buffers) const
    {
        std::vector<Run> rows;
        line_.for_runs(g_.out, from, length, [&](int64_t offset, int64_t place, int64_t count) {
            if (place >= 0) {
                rows.push_back({offset, place, count});
                return;
            }
            for (int64_t lane = 0; lane < kLanes; ++lane) {
                std::fill_n(buffers.places + lane * strip_ + offset, count, 0.0F);
            }
        });
        return rows;
    }

    /// A block of channels of y at places [from, from + length) of its line.
    void split_strip(const float *y, int64_t block, int64_t from, int64_t length,
                     const std::vector<Run> &rows, const Buffers &buffers) const
    {
        const int64_t channels = std::min(kLanes, g_.out_channels - block * kLanes);
        const float *channel = y + block * kLanes * g_.y_channel;
        if (!gathers()) {
            split(channel + from, g_.y_channel, channels, length, kLanes * g_.y_channel,
                  buffers.split);
            return;
        }
        for (int64_t lane = 0; lane < channels; ++lane, channel += g_.y_channel) {
            for (const Run &row : rows) {
                copy_row(channel + row.place, row.count,
                         buffers.places + lane * strip_ + row.offset);
            }
        }
        split(buffers.places, strip_, channels, length, strip_, buffers.split);
    }

    /// dw[co][ci][tap] (+)= the sums of some lanes, in their order, for these blocks.
    void write_sums(std::span<const Buffers> lanes, Interval blocks, bool accumulate, float *dw,
                    int threads) const
    {
        const int64_t taps = g_.kernel_points();
        const int64_t first = blocks.first * kLanes;
        const int64_t channels_of_y = std::min(blocks.last * kLanes, g_.out_channels) - first;
        parallel_for(threads, channels_of_y, [&](int64_t c) {
            const int64_t co = first + c;
            int64_t tile = c / kLanes * block_sums() + c % kLanes * kLanes;
            for (int64_t ci = 0; ci < g_.in_channels; ci += kLanes, tile += kSumTile) {
                const int64_t channels = std::min(kLanes, g_.in_channels - ci);
                float *to = dw + (co * g_.in_channels + ci) * taps;
                for (int64_t tap = 0; tap < taps; ++tap) {
                    float sum[kLanes] = {};
                    for (const Buffers &buffers : lanes) {
                        const float *from = buffers.sums + tile + tap * x_blocks_ * kSumTile;
                        for (int64_t lane = 0; lane < kLanes; ++lane) {
                            sum[lane] += from[lane];
                        }
                    }
                    for (int64_t lane = 0; lane < channels; ++lane) {
                        float &element = to[lane * taps + tap];
                        element = accumulate ? element + sum[lane] : sum[lane];
                    }
                }
            }
        });
    }

    ConvGeometry g_;
    Line line_;
    const SimdVariant &simd_;
    int threads_;
    bool closed_;            // y is taken as it lies
    int64_t length_;         // places of y, or of its line
    int64_t strip_, strips_; // that are worked on at a time
    int64_t x_blocks_, y_blocks_;
    int64_t tiles_; // of sums for a block of y
    bool by_strips_ = true;
    int lanes_ = 1;
    int64_t group_ = 1; // blocks of y that are worked on at a time
};

/// Whether the line is about as long as the images on it.
bool fits_line(const ConvGeometry &g)
{
    double places = 1;
    for (size_t axis = 0; axis < 3; ++axis) {
        places *= static_cast<double>(g.in[axis]) +
                  static_cast<double>(std::max(g.pad_begin[axis], g.pad_end[axis]));
    }
    return places < 3 * static_cast<double>(g.out_points());
}

} // namespace

bool takes_signs(const ConvGeometry &g)
{
    return signs::available() && g.dtype == Dtype::f32 && g.groups == 1 &&
           g.stride == Axes{1, 1, 1} && fits_line(g);
}

std::unique_ptr<ProbeFilterPass> make_sign_filter(const ConvGeometry &g, int64_t workspace_limit,
                                                  int threads, const SimdVariant &simd)
{
    if (!takes_signs(g)) {
        return nullptr;
    }
    constexpr double speed = 0.25; // products cost this share of what they cost elsewhere
    const int used = threads_worth(speed * g.multiply_adds(), threads);
    auto pass = std::make_unique<SignFilter>(g, workspace_limit, used, simd);
    return pass->workspace() <= workspace_limit ? std::move(pass) : nullptr;
}

} // namespace xconv::cpu
