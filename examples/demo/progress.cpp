#include "progress.hpp"

#include <cmath>
#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace demo {
namespace {

constexpr size_t kBarWidth = 24;
constexpr size_t kPlainLines = 4; // per run, when the output is not a terminal
constexpr auto kRedraw = std::chrono::milliseconds(100);

std::string bar(size_t done, size_t all)
{
    const size_t filled = kBarWidth * done / all;
    return std::string(filled, '#') + std::string(kBarWidth - filled, '.');
}

} // namespace

std::string clock_text(double seconds)
{
    const auto whole = static_cast<long>(std::ceil(seconds));
    return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

Progress::Progress(std::string label, size_t steps, size_t images_per_step)
    : label_(std::move(label)), steps_(steps), images_per_step_(images_per_step),
      terminal_(isatty(fileno(stderr)) == 1)
{
}

void Progress::step(double loss, const std::string &stage)
{
    // A running mean over some twenty batches: the loss of one is mostly noise.
    smooth_loss_ = done_ == 0 ? loss : 0.95 * smooth_loss_ + 0.05 * loss;
    ++done_;
    draw(stage);
}

std::string Progress::status(const std::string &stage) const
{
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    const double per_step = seconds / static_cast<double>(done_);
    return fmt::format("{}  loss {:.4f}  {:.0f} images/s  ETA {}", stage, smooth_loss_,
                       static_cast<double>(images_per_step_) / per_step,
                       clock_text(per_step * static_cast<double>(steps_ - done_)));
}

void Progress::draw(const std::string &stage)
{
    if (terminal_) {
        const auto now = Clock::now();
        if (now - drawn_ < kRedraw && done_ < steps_)
            return;
        drawn_ = now;
        fmt::print(stderr, "\r{:<18} [{}] {}\033[K", label_, bar(done_, steps_), status(stage));
        std::fflush(stderr);
    }
    else if (done_ * kPlainLines >= (lines_ + 1) * steps_) {
        lines_ = done_ * kPlainLines / steps_;
        fmt::print(stderr, "{:<18} {:>3}%  {}\n", label_, 100 * done_ / steps_, status(stage));
    }
}

void Progress::finish(const std::string &outcome)
{
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    fmt::print(stderr, "{}{:<18} done in {}: {}{}\n", terminal_ ? "\r" : "", label_,
               clock_text(seconds), outcome, terminal_ ? "\033[K" : "");
}

} // namespace demo
