// The C boundary: handles, the exception guard, and argument checks. No
// mathematics in this folder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <type_traits>

#include "backend.hpp"
#include "error.hpp"
#include "plan.hpp"
#include "xconv/xconv.h"

struct xconv_context {
    std::shared_ptr<const xconv::Backend> backend;
};

struct xconv_plan {
    xconv::Plan plan;
};

namespace xconv::capi {

/// Keep the detail text of a failure for xconv_last_error().
void remember(const char *function, const char *message) noexcept;
/// What the calling thread's last failure left.
const char *last_error() noexcept;

/// Status of the exception in flight; its text is remembered.
xconv_status translate_exception(const char *function) noexcept;

/// Run a function body; nothing leaves it but a status.
template <class Body> xconv_status guard(const char *function, Body &&body) noexcept
{
    try {
        body();
        return XCONV_SUCCESS;
    }
    catch (...) {
        return translate_exception(function);
    }
}

void require_not_null(const void *pointer, const char *argument);

template <class T> T &require(T *pointer, const char *argument)
{
    require_not_null(pointer, argument);
    return *pointer;
}

/// The backend of a context, which must not be null.
const Backend &backend_of(const xconv_context *context);

/// A factor, which must be finite in the type that numbers of `dtype` are computed in.
double checked_finite(double value, Dtype dtype, const char *argument);

/// A tensor: not null, aligned to its element type, and memory of the device.
void require_tensor(const Backend &on, const void *pointer, Dtype dtype, const char *argument);

/// A buffer of bytes on the device that is long enough.
void require_buffer(const Backend &on, const void *pointer, size_t size, int64_t needed,
                    const char *argument);

/// The aligned start of a long enough workspace.
void *require_workspace(const Backend &on, void *workspace, size_t size, int64_t needed);

/// Memory that a call touches; none where the argument is null.
struct Region {
    const void *data;
    int64_t bytes;
    const char *argument;
};

/// Throw if an output shares memory with an input or with another output.
void require_apart(std::initializer_list<Region> outputs, std::initializer_list<Region> inputs);

/// Throw unless all `size` bytes from `tail` are zero.
void require_zero_tail(const unsigned char *tail, size_t size, const char *argument);

/// Copy a descriptor that may come from an older header (shorter: the rest is 0)
/// or a newer one (longer: what this library does not know must be 0). No descriptor
/// has grown yet; the first one that does needs the size it had before as `oldest`.
template <class Desc> Desc read_desc(const Desc *desc, const char *argument)
{
    static_assert(std::is_trivially_copyable_v<Desc>);
    constexpr size_t oldest = sizeof(Desc);
    constexpr size_t most = 65536; // more is garbage, not a later version
    const size_t size = require(desc, argument).struct_size;
    if (size < oldest || size > most) {
        fail(XCONV_INVALID_ARGUMENT, "{}->struct_size = {}: must be sizeof, {}", argument, size,
             sizeof(Desc));
    }
    Desc copy{};
    std::memcpy(&copy, desc, std::min(size, sizeof(Desc)));
    if (size > sizeof(Desc)) {
        require_zero_tail(static_cast<const unsigned char *>(static_cast<const void *>(desc)) +
                              sizeof(Desc),
                          size - sizeof(Desc), argument);
    }
    return copy;
}

void require_zero(int32_t reserved, const char *argument);

} // namespace xconv::capi
