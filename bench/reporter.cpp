#include "reporter.hpp"

#include <iostream>
#include <stdexcept>

namespace bench {

CombinedReporter::CombinedReporter(const std::string &json_path)
{
    to_.push_back(
        std::make_unique<benchmark::ConsoleReporter>(benchmark::ConsoleReporter::OO_None));
    to_.back()->SetOutputStream(&std::cout);
    to_.back()->SetErrorStream(&std::cerr);
    if (!json_path.empty()) {
        json_.open(json_path);
        if (!json_) {
            throw std::runtime_error("cannot write " + json_path);
        }
        to_.push_back(std::make_unique<benchmark::JSONReporter>());
        to_.back()->SetOutputStream(&json_);
        to_.back()->SetErrorStream(&std::cerr);
    }
}

bool CombinedReporter::ReportContext(const Context &context)
{
    if (started_) {
        return true;
    }
    started_ = true;
    bool go_on = true;
    for (const auto &reporter : to_) {
        go_on = reporter->ReportContext(context) && go_on;
    }
    return go_on;
}

void CombinedReporter::ReportRuns(const std::vector<Run> &runs)
{
    for (const auto &reporter : to_) {
        reporter->ReportRuns(runs);
    }
}

void CombinedReporter::finish()
{
    if (started_) {
        for (const auto &reporter : to_) {
            reporter->Finalize();
        }
    }
}

} // namespace bench
