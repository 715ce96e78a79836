// Runs tests on the device under test, or says why they cannot run.
#include <xconv/xconv.h>

#include <cstdio>
#include <cstdlib>

#include "device.hpp"
#include "runner.hpp"

int main(int argc, char **argv)
{
    constexpr int skipped = 77; // CMakeLists.txt tells CTest
    xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
    desc.device = support::test_device();
    xconv_context *context = nullptr;
    const xconv_status status = xconv_context_create(&desc, &context);
    if (desc.device == XCONV_CUDA && status != XCONV_SUCCESS) {
        // Where a device should be, its absence is an error.
        const bool absent = status == XCONV_DEVICE_ERROR || status == XCONV_UNSUPPORTED;
        std::printf("no CUDA device to test on: %s\n", xconv_last_error());
        const bool required = std::getenv("XCONV_REQUIRE_GPU") != nullptr; // NOLINT: no threads yet
        return absent && !required ? skipped : 1;
    }
    xconv_context_destroy(context);
    return run_tests(argc, argv);
}
