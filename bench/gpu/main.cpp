// xconv_gpu_bench: times the library on a GPU against cuDNN, case by case, and
// writes what it found as JSON.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "layer.hpp"

namespace {

struct Arguments {
    std::vector<std::string> files;
    std::string out;
    bool allow_tf32 = false;
    bool list = false;
    int repetitions = 5;
    double series = 0.02;
    double budget = 0;
};

nlohmann::json run_row(const gpu_bench::Row &row, const gpu_bench::Limits &limits,
                       const gpu_bench::Settings &settings, const Arguments &arguments)
{
    const gpu_bench::Timing timing =
        gpu_bench::time_calls(settings.stream, row.call, arguments.repetitions, arguments.series);
    const double bandwidth = row.bytes / timing.median / limits.copy_bytes;
    const double compute = row.flops / timing.median / limits.float32_flops;
    fmt::print("  {:<44} {:>10.1f} us  {:>5.1f} % of copy  {:>5.1f} % of FLOP/s  {}\n", row.name,
               timing.median * 1e6, bandwidth * 100, compute * 100, row.label);
    return {{"name", row.name},
            {"label", row.label},
            {"seconds", timing.median},
            {"spread", timing.spread},
            {"calls", timing.calls},
            {"share_of_copy_bandwidth", bandwidth},
            {"share_of_float32_flops", compute}};
}

/// Seconds of the first row whose name ends so; 0 where there is none.
double seconds_of(const nlohmann::json &rows, const char *ending)
{
    for (const nlohmann::json &row : rows) {
        if (row["name"].get<std::string>().ends_with(ending)) {
            return row["seconds"];
        }
    }
    return 0;
}

/// How many times longer the exact gradient takes than sketch + filter, and how much
/// of a forward pass the sketch costs.
void compare(nlohmann::json &result)
{
    const nlohmann::json &rows = result["rows"];
    const double by_cudnn = seconds_of(rows, "cudnn/filter");
    const double exact = by_cudnn > 0 ? by_cudnn : seconds_of(rows, "/filter_exact");
    const double ratio = exact / seconds_of(rows, "/step");
    const double overhead = seconds_of(rows, "/sketch") / seconds_of(rows, "/forward");
    result["exact_over_step"] = ratio;
    result["sketch_over_forward"] = overhead;
    fmt::print("  exact / (sketch + filter): {:.2f}; sketch / forward: {:.3f}\n", ratio, overhead);
}

nlohmann::json run_case(const bench::Case &which, const gpu_bench::Limits &limits,
                        const gpu_bench::Settings &settings, const Arguments &arguments)
{
    fmt::print("{}\n", which.text);
    nlohmann::json result{
        {"case", which.text}, {"geometry", which.geometry_name()}, {"scheme", which.scheme_name()}};
    // Tensors, workspaces, and cuDNN's own.
    if (gpu_bench::Layer::tensor_bytes(which) + (int64_t{5} << 30) > limits.free_memory) {
        fmt::print("  skipped: needs more memory than the device has\n");
        result["skipped"] = "memory";
        return result;
    }
    const gpu_bench::Layer layer(which, settings);
    result["kept_bytes"] = layer.kept_bytes();
    result["x_bytes"] = layer.x_bytes();
    result["workspace_bytes"] = layer.workspace_bytes();
    for (const gpu_bench::Row &row : layer.rows()) {
        result["rows"].push_back(run_row(row, limits, settings, arguments));
    }
    compare(result);
    return result;
}

/// The case, or why it could not be timed: others may go well.
nlohmann::json try_case(const bench::Case &which, const gpu_bench::Limits &limits,
                        const gpu_bench::Settings &settings, const Arguments &arguments)
{
    try {
        return run_case(which, limits, settings, arguments);
    }
    catch (const std::exception &error) {
        fmt::print("  FAILED: {}\n", error.what());
        return {{"case", which.text}, {"failed", error.what()}};
    }
}

void write(const nlohmann::json &report, const Arguments &arguments)
{
    std::fflush(stdout);
    if (!arguments.out.empty()) {
        std::ofstream(arguments.out) << report.dump(1) << "\n";
    }
}

std::vector<bench::Case> cases_of(const Arguments &arguments)
{
    std::vector<bench::Case> all;
    for (const std::string &file : arguments.files) {
        const std::vector<bench::Case> more = bench::read_cases(file);
        all.insert(all.end(), more.begin(), more.end());
    }
    return all;
}

nlohmann::json describe(const gpu_bench::Limits &limits, const Arguments &arguments)
{
    fmt::print("{}: copies {:.0f} GB/s, Float32 products {:.1f} TFLOP/s, TF32 {}\n", limits.name,
               limits.copy_bytes * 1e-9, limits.float32_flops * 1e-12,
               arguments.allow_tf32 ? "on" : "off");
    return {{"device", limits.name},
            {"copy_bytes_per_second", limits.copy_bytes},
            {"float32_flops_per_second", limits.float32_flops},
            {"tf32", arguments.allow_tf32},
            {"backends", xconv_backends()},
            {"commit", xconv_git_hash()}};
}

/// What would be timed; needs no device.
int list(const std::vector<bench::Case> &cases)
{
    for (const bench::Case &which : cases) {
        fmt::print("{} {}: {:.2f} GB of tensors\n", which.geometry_name(), which.scheme_name(),
                   static_cast<double>(gpu_bench::Layer::tensor_bytes(which)) * 1e-9);
    }
    return cases.empty() ? 1 : 0;
}

int time_cases(const Arguments &arguments)
{
    const std::vector<bench::Case> cases = cases_of(arguments);
    if (arguments.list) {
        return list(cases);
    }
    gpu_bench::Settings settings;
    settings.allow_tf32 = arguments.allow_tf32;
    gpu_bench::check(cudaStreamCreateWithFlags(&settings.stream, cudaStreamNonBlocking),
                     "cudaStreamCreate");
    const gpu_bench::Limits limits = gpu_bench::measure_limits(settings.stream);
    nlohmann::json report = describe(limits, arguments);
    bool good = true;
    const auto start = std::chrono::steady_clock::now();
    for (const bench::Case &which : cases) {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        if (arguments.budget > 0 && spent.count() > arguments.budget) {
            fmt::print("out of time: the rest is left out\n");
            report["out_of_time"] = true;
            break;
        }
        report["cases"].push_back(try_case(which, limits, settings, arguments));
        good = good && !report["cases"].back().contains("failed");
        write(report, arguments); // what is there should the time be up
    }
    write(report, arguments);
    return good ? 0 : 1;
}

/// The exit status.
int run(int argc, char **argv)
{
    CLI::App app("Times XConv on a GPU against cuDNN.", "xconv_gpu_bench");
    Arguments arguments;
    app.add_option("files", arguments.files, "files of cases, see bench/README.md")->required();
    app.add_option("--out", arguments.out, "store the results as JSON");
    app.add_flag("--list", arguments.list, "time nothing: print the cases");
    app.add_flag("--tf32", arguments.allow_tf32, "allow TF32, to XConv and to cuDNN");
    app.add_option("--repetitions", arguments.repetitions, "series of calls for each row")
        ->check(CLI::Range(1, 1000));
    app.add_option("--series", arguments.series, "seconds of a series, at least");
    app.add_option("--budget", arguments.budget, "seconds after which no case is begun; 0 = none");
    try {
        app.parse(argc, argv);
    }
    catch (const CLI::ParseError &error) {
        return app.exit(error);
    }
    return time_cases(arguments);
}

} // namespace

int main(int argc, char **argv)
{
    try {
        return run(argc, argv);
    }
    catch (const std::exception &error) {
        std::fprintf(stderr, "xconv_gpu_bench: %s\n", error.what());
        return 1;
    }
}
