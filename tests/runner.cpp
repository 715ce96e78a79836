// The same runner for Catch2 versions 2 and 3.
#define CATCH_CONFIG_RUNNER
#include "runner.hpp"

#include "catch.hpp"

int run_tests(int argc, char **argv) { return Catch::Session().run(argc, argv); }
