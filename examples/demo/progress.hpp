// Progress of a long run on standard error: a bar that redraws itself on a
// terminal, a few plain lines anywhere else.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace demo {

class Progress {
  public:
    /// `label` names the run, `epoch_images` are counted in every epoch.
    Progress(std::string label, size_t steps, size_t images_per_step);

    /// One more step is done. `loss` is the batch's, `stage` says where the run
    /// is, such as "epoch 2/3".
    void step(double loss, const std::string &stage);
    /// End the bar's line with the run's outcome.
    void finish(const std::string &outcome);

  private:
    using Clock = std::chrono::steady_clock;
    [[nodiscard]] std::string status(const std::string &stage) const;
    void draw(const std::string &stage);

    std::string label_;
    size_t steps_;
    size_t images_per_step_;
    size_t done_ = 0;
    double smooth_loss_ = 0;
    bool terminal_;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point drawn_{};
    size_t lines_ = 0; // plain lines written so far
};

/// "1:05" for 65 seconds.
std::string clock_text(double seconds);

} // namespace demo
