// The demo's command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scheme.hpp"
#include "training.hpp"

namespace demo {

struct Options {
    std::string data = "/usr/share/datasets/fashion-mnist";
    size_t train_limit = 0; // 0: all images
    size_t test_limit = 0;
    std::vector<Scheme> schemes;
    TrainingOptions training;
    std::string csv;  // file to write, or empty
    std::string json; // file to write, or empty
    bool advise = false;
    std::string plot; // of the advice; file to write, or empty
};

/// Parse the command line. When there is nothing left to do (--help, or an
/// error, already reported), *exit_code is set and nothing is returned.
std::optional<Options> parse_options(int argc, char **argv, int *exit_code);

} // namespace demo
