// accuracy_study: the measurements behind docs/accuracy.md, as CSV on standard
// output. study.py calls it for one cell after the other. See README.md.
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "parts.hpp"

namespace {

using Part = void (*)(const study::Settings &);

struct Command {
    Part run;
    const char *help;
};

const std::map<std::string, Command> kCommands{
    {"variance", {study::measure_variance, "error of one draw against bytes kept"}},
    {"spread", {study::measure_spread, "how much gradients differ between mini-batches"}},
    {"entries", {study::measure_entries, "all entries of one gradient"}},
    {"image-size", {study::measure_image_size, "error against image size"}},
    {"training", {study::measure_training, "test accuracy of training runs"}},
};

void declare(CLI::App &app, study::Settings &settings)
{
    app.add_option("--data", settings.data, "Directory of IDX files")->capture_default_str();
    app.add_option("--schemes", settings.schemes, "Schemes, a,b,c")->delimiter(',');
    app.add_option("--batch", settings.batch)->check(CLI::Range(1, 65536))->capture_default_str();
    app.add_option("--draws", settings.draws, "Estimates from one batch")
        ->check(CLI::Range(2, 100000))
        ->capture_default_str();
    app.add_option("--batches", settings.batches, "Mini-batches to measure on")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    app.add_option("--epochs", settings.epochs)->capture_default_str();
    app.add_option("--train-limit", settings.train_limit, "Use only the first training images");
    app.add_option("--test-limit", settings.test_limit, "Use only the first test images");
    app.add_option("--seed", settings.seed)->capture_default_str();
    app.add_option("--threads", settings.threads)->capture_default_str();
    app.add_option("--network", settings.network, "demo, wide; squeezenet, unet");
    app.add_option("--input", settings.input, "images or normal");
    app.add_option("--size", settings.size, "Height and width of the images")
        ->check(CLI::Range(16, 65536));
}

/// The exit status.
int run(int argc, char **argv)
{
    CLI::App app("Measures estimates of filter gradients; prints CSV.", "accuracy_study");
    study::Settings settings;
    app.require_subcommand(1);
    for (const auto &[name, command] : kCommands)
        declare(*app.add_subcommand(name, command.help), settings);
    try {
        app.parse(argc, argv);
    }
    catch (const CLI::ParseError &error) {
        return app.exit(error);
    }
    kCommands.at(app.get_subcommands().at(0)->get_name()).run(settings);
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    try {
        return run(argc, argv);
    }
    catch (const std::exception &error) {
        std::fprintf(stderr, "accuracy_study: %s\n", error.what());
        return 1;
    }
}
