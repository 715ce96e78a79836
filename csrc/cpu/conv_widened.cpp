#include "cpu/conv_widened.hpp"

#include <algorithm>
#include <cstddef>

#include "workspace.hpp"

namespace xconv::cpu {

namespace {

// Widened samples of a chunk, for each thread: small enough to be in the cache
// still when the pass reads them, large enough that starting one costs nothing.
constexpr int64_t kChunkBytesPerThread = int64_t{2} << 20;
// Channels shorter than this are widened a sample at a time.
constexpr int64_t kShortChannel = 1024;

/// Samples of a tensor: `channels` of `points` elements each, which lie `stride` apart.
struct Samples {
    Dtype dtype;
    int64_t channels, points, stride;

    static Samples x(const ConvGeometry &g)
    {
        return {g.dtype, g.in_channels, g.in_points(), g.x_channel};
    }
    static Samples y(const ConvGeometry &g)
    {
        return {g.dtype, g.out_channels, g.out_points(), g.y_channel};
    }
    /// One channel long, without gaps.
    static Samples plain(Dtype dtype, int64_t count) { return {dtype, 1, count, count}; }

    [[nodiscard]] int64_t bytes(int64_t samples) const // as numbers
    {
        return samples * channels * points * element_bytes(compute_dtype(dtype));
    }
    [[nodiscard]] ConstMatrix matrix(const void *data, int64_t samples, int64_t apart) const
    {
        const bool whole = stride == points && points < kShortChannel;
        return whole ? ConstMatrix{data, samples, channels * points, channels * points}
                     : ConstMatrix{data, samples * channels, points, apart};
    }
    /// Samples [first, first + count) of the tensor, written to or read from `numbers`.
    void widen(const Backend &on, const void *tensor, int64_t first, int64_t count,
               void *numbers) const
    {
        const ConstMatrix from = matrix(at(tensor, first), count, stride);
        on.convert(dtype, from, Runs::one(from.cols), compute_dtype(dtype),
                   {numbers, from.rows, from.cols, from.cols});
    }
    void narrow(const Backend &on, const void *numbers, int64_t first, int64_t count,
                void *tensor) const
    {
        const ConstMatrix from = matrix(numbers, count, points);
        const int64_t to_stride = from.cols == points ? stride : from.cols;
        on.convert(compute_dtype(dtype), from, Runs::one(from.cols), dtype,
                   {const_cast<void *>(at(tensor, first)), from.rows, from.cols, // NOLINT: ours
                    to_stride});
    }

  private:
    [[nodiscard]] const void *at(const void *tensor, int64_t sample) const
    {
        return at_element(dtype, tensor, sample * channels * stride);
    }
};

/// The Float32 passes of all chunks, and the pieces of workspace around them.
template <class PassType> class Chunks {
  public:
    struct Pieces {
        void *shared; // filter and bias as numbers
        void *x, *y;
        void *pass;
    };

    /// `shared` are bytes that all chunks use.
    Chunks(const ConvGeometry &g, int64_t shared, int64_t limit, int threads,
           const PassFactory<PassType> &make)
        : batch_(g.batch), shared_(shared), x_(Samples::x(g)), y_(Samples::y(g))
    {
        ConvGeometry numbers = g.with_numbers();
        numbers.x_channel = numbers.in_points();
        numbers.y_channel = numbers.out_points();
        const int64_t sample = x_.bytes(1) + y_.bytes(1);
        const int64_t wanted = std::max(kChunkBytesPerThread * threads, 4 * shared);
        const int64_t most = std::clamp(std::min(wanted, limit / 2) / sample, int64_t{1}, batch_);
        for (samples_ = even_part(batch_, most);; samples_ = ceil_div(samples_, 2)) {
            whole_ = make(numbers.with_batch(samples_), rest_of(limit));
            rest_ = batch_ % samples_ == 0
                        ? nullptr
                        : make(numbers.with_batch(batch_ % samples_), rest_of(limit));
            if (samples_ == 1 || workspace() <= limit) {
                return;
            }
        }
    }

    [[nodiscard]] int64_t workspace() const
    {
        Arena arena(nullptr);
        static_cast<void>(take(arena));
        return arena.used();
    }
    [[nodiscard]] Pieces take(Arena &arena) const
    {
        return {arena.take(shared_), arena.take(x_.bytes(samples_)), arena.take(y_.bytes(samples_)),
                arena.take(std::max(whole_->workspace(), rest_ ? rest_->workspace() : 0))};
    }
    [[nodiscard]] std::string describe() const
    {
        return fmt::format("widened to Float32, {} sample(s) at a time, {}", samples_,
                           whole_->describe());
    }
    [[nodiscard]] const Samples &x() const { return x_; }
    [[nodiscard]] const Samples &y() const { return y_; }

    /// body(pass, first sample, count) for all chunks.
    template <class Body> void for_each(const Body &body) const
    {
        for (int64_t first = 0; first < batch_; first += samples_) {
            const int64_t count = std::min(samples_, batch_ - first);
            body(count == samples_ ? *whole_ : *rest_, first, count);
        }
    }

  private:
    /// What the pieces leave to a pass.
    [[nodiscard]] int64_t rest_of(int64_t limit) const
    {
        Arena arena(nullptr);
        arena.take(shared_);
        arena.take(x_.bytes(samples_));
        arena.take(y_.bytes(samples_));
        return std::max<int64_t>(limit - arena.used(), 1);
    }

    int64_t batch_;
    int64_t shared_;
    Samples x_, y_;
    int64_t samples_ = 1;
    std::unique_ptr<PassType> whole_;
    std::unique_ptr<PassType> rest_;
};

/// The filter, and a bias behind it.
int64_t filter_bytes(const ConvGeometry &g)
{
    return round_up(g.w_count() * element_bytes(compute_dtype(g.dtype)), kAlignment);
}
int64_t bias_bytes(const ConvGeometry &g)
{
    return g.out_channels * element_bytes(compute_dtype(g.dtype));
}

class WidenedForward final : public ForwardPass {
  public:
    WidenedForward(const ConvGeometry &g, int64_t limit, int threads,
                   const PassFactory<ForwardPass> &make)
        : w_(Samples::plain(g.dtype, g.w_count())), bias_(Samples::plain(g.dtype, g.out_channels)),
          bias_offset_(filter_bytes(g)),
          chunks_(g, filter_bytes(g) + bias_bytes(g), limit, threads, make)
    {
    }
    [[nodiscard]] int64_t workspace() const override { return chunks_.workspace(); }
    [[nodiscard]] std::string describe() const override { return chunks_.describe(); }
    void run(const Backend &on, const void *x, const void *w, const void *bias, void *y,
             void *workspace) const override
    {
        Arena arena(workspace);
        const auto pieces = chunks_.take(arena);
        void *wide_bias = at_byte(pieces.shared, bias_offset_);
        w_.widen(on, w, 0, 1, pieces.shared);
        if (bias != nullptr) {
            bias_.widen(on, bias, 0, 1, wide_bias);
        }
        chunks_.for_each([&](const ForwardPass &pass, int64_t first, int64_t count) {
            chunks_.x().widen(on, x, first, count, pieces.x);
            pass.run(on, pieces.x, pieces.shared, bias != nullptr ? wide_bias : nullptr, pieces.y,
                     pieces.pass);
            chunks_.y().narrow(on, pieces.y, first, count, y);
        });
    }

  private:
    Samples w_, bias_;
    int64_t bias_offset_;
    Chunks<ForwardPass> chunks_;
};

class WidenedData final : public DataPass {
  public:
    WidenedData(const ConvGeometry &g, int64_t limit, int threads,
                const PassFactory<DataPass> &make)
        : w_(Samples::plain(g.dtype, g.w_count())),
          chunks_(g, filter_bytes(g), limit, threads, make)
    {
    }
    [[nodiscard]] int64_t workspace() const override { return chunks_.workspace(); }
    [[nodiscard]] std::string describe() const override { return chunks_.describe(); }
    void run(const Backend &on, const void *w, const void *dy, void *dx,
             void *workspace) const override
    {
        Arena arena(workspace);
        const auto pieces = chunks_.take(arena);
        w_.widen(on, w, 0, 1, pieces.shared);
        chunks_.for_each([&](const DataPass &pass, int64_t first, int64_t count) {
            chunks_.y().widen(on, dy, first, count, pieces.y);
            pass.run(on, pieces.shared, pieces.y, pieces.x, pieces.pass);
            chunks_.x().narrow(on, pieces.x, first, count, dx);
        });
    }

  private:
    Samples w_;
    Chunks<DataPass> chunks_;
};

class WidenedFilter final : public FilterPass {
  public:
    WidenedFilter(const ConvGeometry &g, int64_t limit, int threads,
                  const PassFactory<FilterPass> &make)
        : chunks_(g, 0, limit, threads, make)
    {
    }
    [[nodiscard]] int64_t workspace() const override { return chunks_.workspace(); }
    [[nodiscard]] std::string describe() const override { return chunks_.describe(); }
    void run(const Backend &on, const void *x, const void *dy, bool accumulate, void *sum,
             void *workspace) const override
    {
        Arena arena(workspace);
        const auto pieces = chunks_.take(arena);
        chunks_.for_each([&](const FilterPass &pass, int64_t first, int64_t count) {
            chunks_.x().widen(on, x, first, count, pieces.x);
            chunks_.y().widen(on, dy, first, count, pieces.y);
            pass.run(on, pieces.x, pieces.y, accumulate || first > 0, sum, pieces.pass);
        });
    }

  private:
    Chunks<FilterPass> chunks_;
};

bool needs_widening(const ConvGeometry &g) { return compute_dtype(g.dtype) != g.dtype; }

} // namespace

std::unique_ptr<ForwardPass> make_widened_forward(const ConvGeometry &g, int64_t workspace_limit,
                                                  int threads, const PassFactory<ForwardPass> &make)
{
    return needs_widening(g) ? std::make_unique<WidenedForward>(g, workspace_limit, threads, make)
                             : nullptr;
}

std::unique_ptr<DataPass> make_widened_backward_data(const ConvGeometry &g, int64_t workspace_limit,
                                                     int threads, const PassFactory<DataPass> &make)
{
    return needs_widening(g) ? std::make_unique<WidenedData>(g, workspace_limit, threads, make)
                             : nullptr;
}

std::unique_ptr<FilterPass> make_widened_backward_filter(const ConvGeometry &g,
                                                         int64_t workspace_limit, int threads,
                                                         const PassFactory<FilterPass> &make)
{
    return needs_widening(g) ? std::make_unique<WidenedFilter>(g, workspace_limit, threads, make)
                             : nullptr;
}

} // namespace xconv::cpu
