#include "report.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace demo {
namespace {

constexpr const char *kFootnotes =
    "kept         bytes alive between forward and backward in the whole network, counted from\n"
    "             the buffers really held, each once. The images are in memory anyway and left\n"
    "             out. exact holds floats: the inputs of convolutions and of the dense layer and\n"
    "             the outputs of ReLUs. The others hold one bit of the ReLU for every pooled\n"
    "             place, and sketches instead of the second and third convolution's input; the\n"
    "             first convolution and the dense layer are exact. All hold 2 bits per pooling\n"
    "             window, where frameworks often hold 64.\n"
    "conv inputs  the part of it that stands for the second and third convolution's input\n"
    "step         median of forward, backward and Adam on one batch\n";

/// How many times less than in the exact run, where there is one.
std::optional<double> compression(const Outcome &outcome, const std::vector<Outcome> &outcomes)
{
    const auto exact = std::find_if(outcomes.begin(), outcomes.end(),
                                    [](const Outcome &other) { return other.scheme.plain; });
    if (exact == outcomes.end())
        return std::nullopt;
    return static_cast<double>(total(exact->kept)) / static_cast<double>(total(outcome.kept));
}

double conv_compression(const Outcome &outcome)
{
    return static_cast<double>(outcome.conv_input_bytes) /
           static_cast<double>(outcome.conv_held_bytes);
}

std::string kib(size_t bytes)
{
    return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
}

} // namespace

const char *const kAdviceFootnotes =
    "Shown is the front: nothing measured keeps as little with as little noise. The star marks\n"
    "the fewest bytes whose noise is at most the mini-batch's own.\n"
    "relative variance  E|estimate - dw|^2 / |dw|^2 of one draw, with its standard error\n"
    "of batch           the same as a multiple of the noise that the mini-batch brings itself\n"
    "ms                 sketch and filter gradient; the forward pass is not in it\n";

std::string table_text(const std::vector<Outcome> &outcomes)
{
    constexpr std::string_view kRow = "{:<32}{:>14}{:>13}{:>14}{:>13}{:>10}{:>15}\n";
    std::string text = fmt::format(kRow, "scheme", "kept", "compression", "conv inputs",
                                   "compression", "step", "test accuracy");
    text += std::string(111, '-') + '\n';
    for (const Outcome &outcome : outcomes) {
        const auto less = compression(outcome, outcomes);
        text +=
            fmt::format(kRow, outcome.scheme.name, kib(total(outcome.kept)),
                        less ? fmt::format("{:.1f}x", *less) : "-", kib(outcome.conv_held_bytes),
                        fmt::format("{:.1f}x", conv_compression(outcome)),
                        fmt::format("{:.1f} ms", outcome.step_ms),
                        fmt::format("{:.2f} %", 100 * outcome.test_accuracy));
    }
    return text + '\n' + kFootnotes;
}

std::string table_csv(const std::vector<Outcome> &outcomes)
{
    std::string text = "scheme,kept_bytes,compression,conv_input_bytes,conv_held_bytes,"
                       "conv_compression,step_ms,train_seconds,final_loss,test_accuracy\n";
    for (const Outcome &outcome : outcomes) {
        const auto less = compression(outcome, outcomes);
        text += fmt::format("{},{},{},{},{},{:.3f},{:.3f},{:.2f},{:.5f},{:.5f}\n",
                            outcome.scheme.name, total(outcome.kept),
                            less ? fmt::format("{:.3f}", *less) : "", outcome.conv_input_bytes,
                            outcome.conv_held_bytes, conv_compression(outcome), outcome.step_ms,
                            outcome.train_seconds, outcome.final_loss, outcome.test_accuracy);
    }
    return text;
}

std::string table_json(const std::vector<Outcome> &outcomes, const Options &options)
{
    using Json = nlohmann::ordered_json;
    Json runs = Json::array();
    for (const Outcome &outcome : outcomes) {
        Json kept;
        for (size_t kind = 0; kind < kKinds; ++kind)
            kept[kind_name(static_cast<Kind>(kind))] = outcome.kept[kind];
        const auto less = compression(outcome, outcomes);
        runs.push_back({{"scheme", outcome.scheme.name},
                        {"kept_bytes", total(outcome.kept)},
                        {"kept", std::move(kept)},
                        {"compression", less ? Json(*less) : Json()},
                        {"conv_input_bytes", outcome.conv_input_bytes},
                        {"conv_held_bytes", outcome.conv_held_bytes},
                        {"conv_compression", conv_compression(outcome)},
                        {"step_ms", outcome.step_ms},
                        {"train_seconds", outcome.train_seconds},
                        {"final_loss", outcome.final_loss},
                        {"test_accuracy", outcome.test_accuracy}});
    }
    const TrainingOptions &training = options.training;
    const Json document = {{"xconv",
                            {{"version", xconv::version()},
                             {"git", xconv::git_hash()},
                             {"backends", xconv::backends()}}},
                           {"settings",
                            {{"data", options.data},
                             {"train_limit", options.train_limit},
                             {"test_limit", options.test_limit},
                             {"epochs", training.epochs},
                             {"batch", training.batch},
                             {"learning_rate", training.learning_rate},
                             {"seed", training.seed},
                             {"threads", training.threads}}},
                           {"runs", std::move(runs)}};
    return document.dump(2) + '\n';
}

void write_file(const std::string &file, const std::string &text)
{
    std::ofstream out(file);
    out << text;
    if (!out.flush())
        throw std::runtime_error(fmt::format("cannot write {}", file));
}

} // namespace demo
