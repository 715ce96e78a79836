// The exception guard and the argument checks of the C boundary.
#include <cmath>
#include <cstdio>
#include <limits>
#include <new>

#include "checked.hpp"
#include "shim.hpp"

namespace xconv::capi {

namespace {

constexpr size_t kMessageBytes = 1024;

char *last_message() noexcept
{
    thread_local char message[kMessageBytes] = "";
    return message;
}

bool overlap(const Region &a, const Region &b)
{
    const auto begin_a = reinterpret_cast<uintptr_t>(a.data);
    const auto begin_b = reinterpret_cast<uintptr_t>(b.data);
    return a.data != nullptr && b.data != nullptr && a.bytes > 0 && b.bytes > 0 &&
           begin_a < begin_b + static_cast<uint64_t>(b.bytes) &&
           begin_b < begin_a + static_cast<uint64_t>(a.bytes);
}

} // namespace

void remember(const char *function, const char *message) noexcept
{
    std::snprintf(last_message(), kMessageBytes, "%s: %s", function, message);
}

xconv_status translate_exception(const char *function) noexcept
{
    try {
        throw;
    }
    catch (const Error &error) {
        remember(function, error.what());
        return error.status();
    }
    catch (const std::bad_alloc &) {
        remember(function, "out of host memory");
        return XCONV_OUT_OF_MEMORY;
    }
    catch (const std::exception &error) {
        remember(function, error.what());
        return XCONV_INTERNAL;
    }
    catch (...) {
        remember(function, "unknown exception");
        return XCONV_INTERNAL;
    }
}

void require_not_null(const void *pointer, const char *argument)
{
    if (pointer == nullptr) {
        fail(XCONV_INVALID_ARGUMENT, "{} = NULL: must not be null", argument);
    }
}

double checked_finite(double value, Dtype dtype, const char *argument)
{
    const double largest = compute_dtype(dtype) == Dtype::f64 ? std::numeric_limits<double>::max()
                                                              : std::numeric_limits<float>::max();
    if (!(std::abs(value) <= largest)) {
        fail(XCONV_INVALID_ARGUMENT, "{} = {}: must be finite, and at most {}", argument, value,
             largest);
    }
    return value;
}

void require_tensor(const Backend &on, const void *pointer, Dtype dtype, const char *argument)
{
    require_not_null(pointer, argument);
    const auto address = reinterpret_cast<uintptr_t>(pointer);
    const auto alignment = static_cast<uintptr_t>(element_bytes(dtype));
    if (address % alignment != 0) {
        fail(XCONV_INVALID_ARGUMENT, "{} = {}: must be aligned to its {}-byte elements", argument,
             pointer, alignment);
    }
    on.check_pointer(pointer, argument);
}

void require_buffer(const Backend &on, const void *pointer, size_t size, int64_t needed,
                    const char *argument)
{
    if (size < static_cast<uint64_t>(needed)) {
        fail(XCONV_BUFFER_TOO_SMALL, "{}_bytes = {}: must be at least {}", argument, size, needed);
    }
    if (needed > 0) {
        require_not_null(pointer, argument);
        on.check_pointer(pointer, argument);
    }
}

void *require_workspace(const Backend &on, void *workspace, size_t size, int64_t needed)
{
    require_buffer(on, workspace, size, needed, "workspace");
    const auto address = reinterpret_cast<uintptr_t>(workspace);
    constexpr auto alignment = static_cast<uintptr_t>(kAlignment);
    return static_cast<std::byte *>(workspace) + (alignment - address % alignment) % alignment;
}

void require_apart(std::initializer_list<Region> outputs, std::initializer_list<Region> inputs)
{
    for (const Region *output = outputs.begin(); output != outputs.end(); ++output) {
        const auto refuse = [output](const Region &other) {
            if (overlap(*output, other)) {
                fail(XCONV_INVALID_ARGUMENT, "{} = {}: its {} bytes overlap {} = {}",
                     output->argument, output->data, output->bytes, other.argument, other.data);
            }
        };
        std::for_each(output + 1, outputs.end(), refuse);
        std::for_each(inputs.begin(), inputs.end(), refuse);
    }
}

void require_zero_tail(const unsigned char *tail, size_t size, const char *argument)
{
    for (size_t i = 0; i < size; ++i) {
        if (tail[i] != 0) {
            fail(XCONV_INVALID_ARGUMENT,
                 "{}->struct_size: it has fields this library does not know, and they are not 0",
                 argument);
        }
    }
}

void require_zero(int32_t reserved, const char *argument)
{
    if (reserved != 0) {
        fail(XCONV_INVALID_ARGUMENT, "{} = {}: must be 0", argument, reserved);
    }
}

const Backend &backend_of(const xconv_context *context)
{
    return *require(context, "context").backend;
}

const char *last_error() noexcept { return last_message(); }

} // namespace xconv::capi
