#include "driver.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include <regex.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "peak.hpp"
#include "rows.hpp"

namespace bench {
namespace {

struct CasedRow {
    Row row;
    Case which; // the first case that asked for it
};

std::vector<CasedRow> rows_of(const Group &group)
{
    std::vector<CasedRow> rows;
    std::set<std::string> seen;
    for (const Case &which : group.cases) {
        for (const auto &list : {onednn_rows(which), im2col_rows(which), xconv_rows(which)}) {
            for (const Row &row : list) {
                if (seen.insert(row.name).second) {
                    rows.push_back({row, which});
                }
            }
        }
    }
    return rows;
}

/// Whether Google Benchmark's filter will select `name`; a leading '-' negates.
bool selected(const std::string &name)
{
    const std::string filter = benchmark::GetBenchmarkFilter();
    if (filter.empty() || filter == "all") {
        return true;
    }
    const bool negated = filter[0] == '-';
    regex_t expression;
    if (regcomp(&expression, filter.c_str() + (negated ? 1 : 0), REG_EXTENDED | REG_NOSUB) != 0) {
        throw std::invalid_argument(fmt::format("'{}' is not a regular expression", filter));
    }
    const bool found = regexec(&expression, name.c_str(), 0, nullptr, 0) == 0;
    regfree(&expression);
    return found != negated;
}

/// The tensors of the geometry at work and what its rows have prepared. Built
/// when the first row runs, so that child processes measure on a free machine.
struct Stage {
    std::optional<Layer> layer;
    std::map<std::string, std::unique_ptr<Work>> works;
    bool failed = false;
};

Work &work_of(Stage &stage, const Row &row, const Case &which, int threads)
{
    if (!stage.layer) {
        stage.layer.emplace(which.conv, threads);
    }
    std::unique_ptr<Work> &work = stage.works[row.name];
    if (!work) {
        work = row.make(*stage.layer);
        work->prepare();
        work->run(); // touch its memory once, untimed
    }
    return *work;
}

void time_row(benchmark::State &state, Stage &stage, const CasedRow &cased, int threads,
              double peak)
{
    try {
        Work &work = work_of(stage, cased.row, cased.which, threads);
        work.prepare();
        for (auto unused : state) {
            (void)unused;
            work.run();
        }
        state.SetLabel(work.label);
        for (const auto &[name, value] : work.counters) {
            state.counters[name] = value;
        }
        if (peak >= 0) {
            state.counters["peak_bytes"] = peak;
        }
    }
    catch (const std::exception &error) {
        stage.failed = true;
        state.SkipWithError(error.what());
    }
}

void register_row(const std::string &name, Stage &stage, const CasedRow &cased, int threads,
                  double peak)
{
    const auto smallest = [](const std::vector<double> &v) {
        return *std::min_element(v.begin(), v.end());
    };
    const auto largest = [](const std::vector<double> &v) {
        return *std::max_element(v.begin(), v.end());
    };
    benchmark::RegisterBenchmark(name.c_str(),
                                 [&stage, cased, threads, peak](benchmark::State &state) {
                                     time_row(state, stage, cased, threads, peak);
                                 })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->ComputeStatistics("min", smallest)
        ->ComputeStatistics("max", largest);
}

double relative_difference(const std::vector<float> &value, const std::vector<float> &reference)
{
    double difference = 0;
    double size = 0;
    for (size_t i = 0; i < value.size(); ++i) {
        const double d = static_cast<double>(value[i]) - static_cast<double>(reference[i]);
        difference += d * d;
        size += static_cast<double>(reference[i]) * static_cast<double>(reference[i]);
    }
    return std::sqrt(difference / size);
}

} // namespace

std::vector<Group> group_by_geometry(const std::vector<Suite> &suites)
{
    std::vector<Group> groups;
    std::map<std::string, size_t> index;
    for (const Suite &suite : suites) {
        for (const Case &which : suite.cases) {
            const std::string name = suite.name + "/" + which.geometry_name();
            const auto [at, added] = index.emplace(name, groups.size());
            if (added) {
                groups.push_back({name, {}});
            }
            groups[at->second].cases.push_back(which);
        }
    }
    return groups;
}

int64_t memory_need(const xconv_conv_desc &conv)
{
    // x and dy, blocked copies of both, and a forward pass's output beside them.
    const Sizes sizes(conv);
    return 2 * sizes.x_bytes + 3 * sizes.y_bytes;
}

bool run_groups(const std::vector<Group> &groups, const Settings &settings,
                CombinedReporter &reporter)
{
    bool all_ran = true;
    for (const Group &group : groups) {
        Stage stage;
        benchmark::ClearRegisteredBenchmarks();
        bool any = false;
        for (const CasedRow &cased : rows_of(group)) {
            const std::string name = group.name + "/" + cased.row.name;
            if (!selected(name + "/real_time")) {
                continue;
            }
            any = true;
            const bool measure = settings.measure_peaks && !settings.list_only && cased.row.peak;
            const int64_t peak =
                measure ? peak_growth_in_child(cased.row, cased.which, settings.threads) : -1;
            register_row(name, stage, cased, settings.threads, static_cast<double>(peak));
        }
        if (any) {
            benchmark::RunSpecifiedBenchmarks(&reporter);
        }
        all_ran = all_ran && !stage.failed;
    }
    benchmark::ClearRegisteredBenchmarks();
    reporter.finish();
    return all_ran;
}

bool verify_groups(const std::vector<Group> &groups, const Settings &settings)
{
    constexpr double kTolerance = 1e-4; // Float32 sums in different orders
    bool good = true;
    for (const Group &group : groups) {
        Layer layer(group.cases.front().conv, settings.threads);
        const auto *begin = layer.dw.as<float>();
        const auto *end = begin + layer.sizes.w_bytes / 4;
        std::vector<float> reference;
        for (const CasedRow &cased : rows_of(group)) {
            std::fill_n(layer.dw.data(), layer.dw.bytes(), std::byte{0xff}); // NaN
            const std::unique_ptr<Work> work = cased.row.make(layer);
            work->prepare();
            work->run();
            const std::vector<float> dw(begin, end);
            if (!cased.row.exact_gradient) {
                continue;
            }
            if (reference.empty()) {
                reference = dw;
            }
            const double difference = relative_difference(dw, reference);
            const bool agrees = difference < kTolerance; // false for NaN too
            good = good && agrees;
            fmt::print("{} {}/{}: {:.1e}\n", agrees ? "ok" : "WRONG", group.name, cased.row.name,
                       difference);
        }
    }
    return good;
}

bool print_peak(const Group &group, const std::string &row_name, const Settings &settings)
{
    for (const CasedRow &cased : rows_of(group)) {
        if (cased.row.name == row_name) {
            fmt::print("{}\n", peak_growth(cased.row, cased.which, settings.threads));
            return true;
        }
    }
    fmt::print(stderr, "no row '{}'\n", row_name);
    return false;
}

} // namespace bench
