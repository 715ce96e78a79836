// The one place that knows which backends this build has.
#include <string>

#include "backend.hpp"
#include "cpu/cpu_backend.hpp"
#if XCONV_WITH_CUDA
#include "cuda/cuda_backend.hpp"
#endif

namespace xconv {

namespace {

struct BackendEntry {
    xconv_device device;
    const char *name;
    std::shared_ptr<const Backend> (*make)(const xconv_context_desc &desc);
    std::string (*describe)();
};

constexpr BackendEntry kBackends[] = {
    {XCONV_CPU, "cpu", cpu::make_cpu_backend, cpu::describe_cpu_backend},
#if XCONV_WITH_CUDA
    {XCONV_CUDA, "cuda", cuda::make_cuda_backend, cuda::describe_cuda_backend},
#endif
};

} // namespace

std::shared_ptr<const Backend> make_backend(const xconv_context_desc &desc)
{
    for (const BackendEntry &entry : kBackends) {
        if (entry.device == desc.device) {
            return entry.make(desc);
        }
    }
    if (desc.device == XCONV_CUDA) {
        fail(XCONV_UNSUPPORTED, "device = {}: this build has no CUDA backend", desc.device);
    }
    fail(XCONV_INVALID_ARGUMENT, "device = {}: not an xconv_device", desc.device);
}

const char *describe_backends()
{
    static const std::string text = [] {
        std::string lines;
        for (const BackendEntry &entry : kBackends) {
            lines +=
                fmt::format("{}{}: {}", lines.empty() ? "" : "\n", entry.name, entry.describe());
        }
        return lines;
    }();
    return text.c_str();
}

const char *git_hash() { return XCONV_GIT_HASH; }

} // namespace xconv
