// Runs suites of cases through Google Benchmark, one geometry at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "case.hpp"
#include "reporter.hpp"

namespace bench {

struct Suite {
    std::string name;
    std::vector<Case> cases;
};

struct Settings {
    int threads = 1;
    int64_t memory_bytes = 0;  // geometries that need more are skipped
    bool measure_peaks = true; // in child processes
    bool list_only = false;
};

/// One suite's cases on one geometry.
struct Group {
    std::string name; // "<suite>/<geometry>"
    std::vector<Case> cases;
};

std::vector<Group> group_by_geometry(const std::vector<Suite> &suites);

/// Bytes that the tensors and the hungriest row of a geometry hold, roughly.
int64_t memory_need(const xconv_conv_desc &conv);

/// Time every row of `groups` that Google Benchmark's filter selects. Returns
/// whether every row ran.
bool run_groups(const std::vector<Group> &groups, const Settings &settings,
                CombinedReporter &reporter);

/// Check that all rows that claim the exact filter gradient agree, and that
/// every other row runs; prints what does not. Returns whether all is well.
bool verify_groups(const std::vector<Group> &groups, const Settings &settings);

/// Print the growth of peak memory for one row of the only case of `group`.
bool print_peak(const Group &group, const std::string &row_name, const Settings &settings);

} // namespace bench
