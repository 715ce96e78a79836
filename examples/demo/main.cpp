// Trains one small network on real images under several schemes and shows what
// each costs and saves. Uses XConv's public interface only.
#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "advice.hpp"
#include "dataset.hpp"
#include "options.hpp"
#include "plot.hpp"
#include "report.hpp"
#include "training.hpp"

namespace {

void print_advice(const demo::Dataset &data, const demo::Options &options)
{
    const auto layers = demo::advise(data, options.training);
    for (const demo::LayerAdvice &each : layers)
        fmt::print("\n{}\n{}", each.layer, each.list.table());
    fmt::print("\n{}", demo::kAdviceFootnotes);
    if (!options.plot.empty())
        demo::write_file(options.plot, demo::advice_plot(layers));
}

void train_all(const demo::Dataset &data, const demo::Options &options)
{
    std::vector<demo::Outcome> outcomes;
    for (const demo::Scheme &scheme : options.schemes)
        outcomes.push_back(demo::Trainer(data, scheme, options.training).run());

    fmt::print("\n{}", demo::table_text(outcomes));
    if (!options.csv.empty())
        demo::write_file(options.csv, demo::table_csv(outcomes));
    if (!options.json.empty())
        demo::write_file(options.json, demo::table_json(outcomes, options));
}

void run(const demo::Options &options)
{
    const demo::Dataset data =
        demo::load_dataset(options.data, options.train_limit, options.test_limit);
    fmt::print("XConv {} ({})\n", xconv::version(), xconv::backends());
    fmt::print("{} training and {} test images of {}x{} from {}\n", data.train.count,
               data.test.count, data.train.height, data.train.width, options.data);
    fmt::print("{} epochs, batches of {}, {} threads, seed {}\n\n", options.training.epochs,
               options.training.batch, xconv::Context(options.training.threads).threads(),
               options.training.seed);
    std::fflush(stdout);

    if (options.advise)
        print_advice(data, options);
    else
        train_all(data, options);
}

} // namespace

int main(int argc, char **argv)
{
    int exit_code = 0;
    try {
        if (const auto options = demo::parse_options(argc, argv, &exit_code))
            run(*options);
    }
    catch (const std::exception &error) {
        std::fprintf(stderr, "demo: %s\n", error.what());
        return 1;
    }
    return exit_code;
}
