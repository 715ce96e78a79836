// xconv_bench: time the library against exact filter gradients, case by case.
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <benchmark/benchmark.h>
#include <dnnl.hpp>
#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include "driver.hpp"

namespace {

struct Arguments {
    std::vector<std::string> files;
    std::vector<std::string> cases;
    std::string json;
    std::string peak_of;
    int threads = 0;
    int64_t memory_mib = 0;
    bool no_peaks = false;
    bool verify = false;
};

void declare(CLI::App &app, Arguments &arguments)
{
    app.allow_extras();
    app.footer(
        "Google Benchmark's options are understood too: --benchmark_filter=<regex>,\n"
        "--benchmark_repetitions=<n>, --benchmark_min_time=<s>, --benchmark_list_tests, ...");
    app.add_option("files", arguments.files, "files of cases, see bench/README.md");
    app.add_option("--case", arguments.cases, "one case, as a line of such a file")
        ->expected(1)
        ->take_all();
    app.add_option("--benchmark_out", arguments.json, "store the results as JSON");
    app.add_option("--threads", arguments.threads, "threads for every row; default: OpenMP's");
    app.add_option("--memory", arguments.memory_mib,
                   "skip geometries that need more MiB; default: 80 % of what is available");
    app.add_flag("--no-peaks", arguments.no_peaks, "do not measure peak memory");
    app.add_flag("--verify", arguments.verify,
                 "time nothing: check that all exact rows give the same gradient");
    app.add_option("--peak-of", arguments.peak_of,
                   "time nothing: print the peak memory growth of this row of --case");
}

std::vector<bench::Suite> load_suites(const Arguments &arguments)
{
    std::vector<bench::Suite> suites;
    for (const std::string &file : arguments.files) {
        suites.push_back({std::filesystem::path(file).stem().string(), bench::read_cases(file)});
    }
    if (!arguments.cases.empty()) {
        suites.push_back({"case", {}});
    }
    for (const std::string &line : arguments.cases) {
        const std::vector<bench::Case> more = bench::parse_line(line);
        suites.back().cases.insert(suites.back().cases.end(), more.begin(), more.end());
    }
    for (const bench::Suite &suite : suites) {
        for (const bench::Case &which : suite.cases) {
            if (which.conv.dtype != XCONV_F32) {
                throw std::invalid_argument(which.text + ": on the CPU, Float32 is timed");
            }
        }
    }
    return suites;
}

/// The value behind `key` in a file of "key : value" lines.
std::string value_in(const char *file, const std::string &key)
{
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        const size_t colon = line.find(':');
        if (line.rfind(key, 0) == 0 && colon != std::string::npos) {
            return line.substr(line.find_first_not_of(" \t", colon + 1));
        }
    }
    return {};
}

int64_t available_memory()
{
    const std::string kib = value_in("/proc/meminfo", "MemAvailable");
    return kib.empty() ? static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE)
                       : std::stoll(kib) * 1024;
}

void describe_machine(int threads, const std::string &skipped)
{
    const dnnl_version_t *onednn = dnnl_version();
    benchmark::AddCustomContext("cpu", value_in("/proc/cpuinfo", "model name"));
    benchmark::AddCustomContext("threads", std::to_string(threads));
    benchmark::AddCustomContext("processors", std::to_string(omp_get_num_procs()));
    benchmark::AddCustomContext(
        "onednn", fmt::format("{}.{}.{}", onednn->major, onednn->minor, onednn->patch));
    const int32_t version = xconv_version();
    benchmark::AddCustomContext("xconv",
                                fmt::format("{}.{}.{} ({})", version / 10000, version / 100 % 100,
                                            version % 100, xconv_git_hash()));
    benchmark::AddCustomContext("backends", xconv_backends());
    benchmark::AddCustomContext("skipped", skipped);
}

/// Hands Google Benchmark the options that are its own, after our defaults. It keeps
/// the pointer to the program's name.
void initialize_benchmark(char *program, // NOLINT: a part of argv, which is not const
                          const std::vector<std::string> &options)
{
    std::vector<std::string> words{"--benchmark_enable_random_interleaving=true",
                                   "--benchmark_repetitions=5", "--benchmark_min_time=0.05"};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<char *> argv{program};
    for (std::string &word : words) {
        argv.push_back(word.data());
    }
    int argc = static_cast<int>(argv.size());
    argv.push_back(nullptr);
    benchmark::Initialize(&argc, argv.data());
    if (argc > 1) {
        throw std::invalid_argument(fmt::format("unknown option '{}'", argv[1]));
    }
}

/// Takes what does not fit in memory out of `groups`; returns their names.
std::string skip_too_large(std::vector<bench::Group> &groups, int64_t bytes)
{
    std::string skipped;
    std::vector<bench::Group> kept;
    for (bench::Group &group : groups) {
        const int64_t need = bench::memory_need(group.cases.front().conv);
        if (need <= bytes) {
            kept.push_back(std::move(group));
            continue;
        }
        fmt::print(stderr, "skipped {}: needs {} MiB, may use {} MiB\n", group.name, need >> 20,
                   bytes >> 20);
        skipped += (skipped.empty() ? "" : " ") + group.name;
    }
    groups = std::move(kept);
    return skipped;
}

int run(int argc, char **argv)
{
    CLI::App app("Time XConv's low-memory filter gradient against exact ones.", "xconv_bench");
    Arguments arguments;
    declare(app, arguments);
    try {
        app.parse(argc, argv);
    }
    catch (const CLI::ParseError &error) {
        return app.exit(error);
    }
    bench::Settings settings;
    settings.threads = arguments.threads > 0 ? arguments.threads : omp_get_max_threads();
    settings.measure_peaks = !arguments.no_peaks;
    settings.memory_bytes =
        arguments.memory_mib > 0 ? arguments.memory_mib << 20 : available_memory() / 5 * 4;
    omp_set_num_threads(settings.threads); // for oneDNN and the BLAS
    std::vector<bench::Group> groups = bench::group_by_geometry(load_suites(arguments));
    if (groups.empty()) {
        throw std::invalid_argument("no cases: name a file or use --case");
    }
    if (!arguments.peak_of.empty()) {
        return bench::print_peak(groups.front(), arguments.peak_of, settings) ? 0 : 1;
    }
    if (arguments.verify) {
        return bench::verify_groups(groups, settings) ? 0 : 1;
    }
    const std::vector<std::string> options = app.remaining();
    for (const std::string &option : options) {
        settings.list_only = settings.list_only || option.rfind("--benchmark_list_tests", 0) == 0;
    }
    initialize_benchmark(argv[0], options);
    describe_machine(settings.threads, skip_too_large(groups, settings.memory_bytes));
    bench::CombinedReporter reporter(arguments.json);
    return bench::run_groups(groups, settings, reporter) ? 0 : 1;
}

} // namespace

int main(int argc, char **argv)
{
    try {
        return run(argc, argv);
    }
    catch (const std::exception &error) {
        std::fprintf(stderr, "xconv_bench: %s\n", error.what());
        return 2;
    }
}
