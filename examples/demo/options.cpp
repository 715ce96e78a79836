#include "options.hpp"

#include <stdexcept>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace demo {
namespace {

constexpr int64_t kDefaultProbes = 64; // the manuscript's largest
constexpr const char *kDescription =
    "Trains the MNIST network of the XConv manuscript (three 3x3 convolutions with 16, 32 and 32\n"
    "channels, ReLU and pooling, one dense layer) once for every scheme, from the same weights "
    "and\n"
    "batches, and prints what each kept in memory for the backward pass, how long a step took,\n"
    "and the accuracy on the test images.";
constexpr const char *kFooter =
    "Schemes: exact (keep what a framework keeps), identity (exact gradients, but one-bit ReLU),\n"
    "dense[:R], orthogonal[:R], independent[:R] with R probes. To all but exact may be added\n"
    "+mean, +1bit, +2bits, +4bits, +8bits, +group:NUMBERS. For example:\n"
    "  demo --schemes exact,dense:8,dense:64,dense:512 --epochs 5\n"
    "  demo --scheme independent:16+mean+2bits --scheme identity+1bit\n"
    "  demo --projection independent --probes 16\n"
    "  demo --advise --plot advice.svg";

/// What the command line says, before it is made sense of.
struct Text {
    std::vector<std::string> schemes;
    std::vector<std::string> beside_exact;
    std::string projection;
    std::string distribution = "rademacher";
    int64_t probes = 0; // 0: not given
};

void add_flags(CLI::App &app, Options &options, Text &text)
{
    TrainingOptions &training = options.training;
    app.add_option("--data", options.data, "Directory of the four IDX files, gzipped or not")
        ->capture_default_str();
    auto *schemes =
        app.add_option("--schemes", text.schemes, "Schemes to train with, a,b,c")->delimiter(',');
    app.add_option("--scheme", text.beside_exact,
                   "Train with exact and with this scheme; repeatable")
        ->excludes(schemes);
    app.add_option("--projection", text.projection, "Train with exact and with this projection")
        ->excludes(schemes);
    app.add_option("--probes", text.probes, "r of the schemes that name none")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 30));
    app.add_option("--distribution", text.distribution,
                   "Of the probes: rademacher, gaussian or uniform")
        ->capture_default_str();
    app.add_option("--epochs", training.epochs, "Passes over the training images")
        ->check(CLI::Range(size_t{1}, size_t{100000}))
        ->capture_default_str();
    app.add_option("--batch", training.batch, "Images per step")
        ->check(CLI::Range(size_t{1}, size_t{65536}))
        ->capture_default_str();
    app.add_option("--rate", training.learning_rate, "Adam's learning rate")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--seed", training.seed, "Of weights, batches and probes")
        ->capture_default_str();
    app.add_option("--threads", training.threads, "CPU threads; 0 means all")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    app.add_option("--train-limit", options.train_limit, "Use only the first training images");
    app.add_option("--test-limit", options.test_limit, "Use only the first test images");
    app.add_option("--csv", options.csv, "Write the table to this file as CSV");
    app.add_option("--json", options.json, "Write the table and the settings to this file as JSON");
    auto *advise = app.add_flag("--advise", options.advise,
                                "Instead of training with schemes, measure which suit each layer");
    app.add_option("--plot", options.plot, "Write what was measured to this file as SVG")
        ->needs(advise);
}

std::vector<Scheme> choose_schemes(const Text &text)
{
    std::vector<std::string> wanted = text.schemes;
    if (!text.beside_exact.empty() || !text.projection.empty()) {
        wanted = text.beside_exact;
        wanted.insert(wanted.begin(), "exact");
        if (!text.projection.empty())
            wanted.push_back(text.projection);
    }
    else if (wanted.empty() && text.probes != 0)
        wanted = {"exact", "dense", "orthogonal", "independent"};
    else if (wanted.empty())
        // Few bits alone; then the paper's scheme and three more in as many bytes or less.
        wanted = {"exact",
                  "identity+2bits",
                  "identity+1bit",
                  "dense:64",
                  "dense:512+4bits",
                  "independent:32+mean+2bits",
                  "dense:512+mean+2bits"};

    const auto distribution = parse_distribution(text.distribution);
    const int64_t probes = text.probes != 0 ? text.probes : kDefaultProbes;
    std::vector<Scheme> schemes;
    schemes.reserve(wanted.size());
    for (const std::string &name : wanted)
        schemes.push_back(parse_scheme(name, probes, distribution));
    return schemes;
}

} // namespace

std::optional<Options> parse_options(int argc, char **argv, int *exit_code)
{
    Options options;
    Text text;
    CLI::App app(kDescription, "demo");
    app.footer(kFooter);
    add_flags(app, options, text);
    try {
        app.parse(argc, argv);
        options.schemes = choose_schemes(text);
    }
    catch (const CLI::ParseError &error) {
        *exit_code = app.exit(error);
        return std::nullopt;
    }
    catch (const std::invalid_argument &error) {
        fmt::print(stderr, "demo: {}\n", error.what());
        *exit_code = 2;
        return std::nullopt;
    }
    return options;
}

} // namespace demo
