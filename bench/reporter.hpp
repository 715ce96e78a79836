// One report for many runs of Google Benchmark: the driver runs it once for
// every geometry, so that rows to be compared are timed within seconds of each
// other and only one geometry's tensors are in memory.
#pragma once

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace bench {

class CombinedReporter final : public benchmark::BenchmarkReporter {
  public:
    /// Prints to standard output and, unless `json_path` is empty, stores JSON.
    explicit CombinedReporter(const std::string &json_path);

    bool ReportContext(const Context &context) override;
    void ReportRuns(const std::vector<Run> &runs) override;
    void Finalize() override {} // the end of one geometry only
    void finish();              // the end of all

  private:
    std::vector<std::unique_ptr<benchmark::BenchmarkReporter>> to_;
    std::ofstream json_;
    bool started_ = false;
};

} // namespace bench
