// An exact filter pass over many samples, a bounded number of them at a time.
#pragma once

#include <algorithm>
#include <memory>

#include "backend.hpp"
#include "checked.hpp"

namespace xconv {

/// Owns the pass for full chunks and the one for the shorter last chunk.
template <class PassType> class ChunkedFilter {
  public:
    /// `samples` in total, at most `chunk` at a time, each by a pass that
    /// `make(geometry)` gives.
    template <class Make>
    ChunkedFilter(const ConvGeometry &geometry, int64_t samples, int64_t chunk, Make &&make)
        : samples_(samples), chunk_(std::clamp<int64_t>(chunk, 1, samples)),
          whole_(make(geometry.with_batch(chunk_)))
    {
        if (samples_ % chunk_ != 0) {
            rest_ = make(geometry.with_batch(samples_ % chunk_));
        }
    }

    /// Whether `make` gave all that is needed.
    [[nodiscard]] bool complete() const
    {
        return whole_ != nullptr && (rest_ != nullptr || samples_ % chunk_ == 0);
    }

    [[nodiscard]] int64_t chunk() const { return chunk_; }
    [[nodiscard]] int64_t workspace() const
    {
        return std::max(whole_->workspace(), rest_ ? rest_->workspace() : 0);
    }
    [[nodiscard]] std::string describe() const { return whole_->describe(); }

    /// visit(pass, first sample, count) for all chunks.
    template <class Visit> void for_each(Visit &&visit) const
    {
        for (int64_t first = 0; first < samples_; first += chunk_) {
            const int64_t count = std::min(chunk_, samples_ - first);
            visit(count == chunk_ ? *whole_ : *rest_, first, count);
        }
    }

    /// sum = the gradient over all samples, or sum += it when `accumulate`.
    /// `inputs(first, count)` makes samples [first, first + count) ready and
    /// returns the pass's (x, dy).
    template <class Inputs>
    void run(const Backend &on, bool accumulate, Inputs &&inputs, void *sum, void *workspace) const
    {
        for_each([&](const PassType &pass, int64_t first, int64_t count) {
            const auto [x, dy] = inputs(first, count);
            pass.run(on, x, dy, accumulate || first > 0, sum, workspace);
        });
    }

  private:
    int64_t samples_;
    int64_t chunk_;
    std::unique_ptr<PassType> whole_;
    std::unique_ptr<PassType> rest_;
};

} // namespace xconv
