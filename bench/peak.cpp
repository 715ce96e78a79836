#include "peak.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <vector>

namespace bench {
namespace {

/// A "Vm...:  123 kB" line of /proc/self/status, in bytes; -1 when missing.
int64_t status_bytes(const std::string &field)
{
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
        int64_t kib = 0;
        if (word == field && status >> kib) {
            return kib * 1024;
        }
    }
    return -1;
}

/// Highest resident size := present resident size.
bool reset_peak()
{
    std::ofstream file("/proc/self/clear_refs");
    file << "5";
    file.flush();
    return file.good();
}

void run_once(const Row &row, Layer &layer)
{
    const std::unique_ptr<Work> work = row.make(layer);
    work->prepare();
    work->run();
}

std::string own_path()
{
    std::array<char, 4096> path{};
    const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
    return length < 0 ? std::string() : std::string(path.data(), static_cast<size_t>(length));
}

/// What a program prints on its standard output.
std::string output_of(const std::vector<std::string> &command)
{
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) {
        return {};
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::vector<char *> arguments(command.size() + 1, nullptr);
    std::transform(command.begin(), command.end(), arguments.begin(),
                   [](const std::string &word) { return const_cast<char *>(word.c_str()); });
    pid_t child = 0;
    const int failed =
        posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    std::string text;
    std::array<char, 256> block{};
    for (ssize_t got = 0; failed == 0 && (got = read(ends[0], block.data(), block.size())) > 0;) {
        text.append(block.data(), static_cast<size_t>(got));
    }
    close(ends[0]);
    int status = 0;
    const bool ran = failed == 0 && waitpid(child, &status, 0) == child;
    return ran && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : std::string();
}

} // namespace

int64_t peak_growth(const Row &row, const Case &which, int threads)
{
    {
        xconv_conv_desc one_sample = which.conv;
        one_sample.batch = 1;
        Layer warm_up(one_sample, threads);
        run_once(row, warm_up);
    }
    Layer layer(which.conv, threads);
    const int64_t before = reset_peak() ? status_bytes("VmRSS:") : -1;
    run_once(row, layer);
    const int64_t peak = status_bytes("VmHWM:");
    return before < 0 || peak < 0 ? -1 : peak - before;
}

int64_t peak_growth_in_child(const Row &row, const Case &which, int threads)
{
    const std::string answer = output_of({own_path(), "--case", which.text, "--peak-of", row.name,
                                          "--threads", std::to_string(threads)});
    long long bytes = -1;
    return std::sscanf(answer.c_str(), "%lld", &bytes) == 1 ? bytes : -1;
}

} // namespace bench
