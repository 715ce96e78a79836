// The one exception type of the core. The C shim turns it into a status.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>

#include "xconv/xconv.h"

namespace xconv {

class Error : public std::exception {
  public:
    Error(xconv_status status, std::string message) : status_(status), message_(std::move(message))
    {
    }
    [[nodiscard]] const char *what() const noexcept override { return message_.c_str(); }
    [[nodiscard]] xconv_status status() const noexcept { return status_; }

  private:
    xconv_status status_;
    std::string message_;
};

/// Throw an Error with a formatted message that names the argument and its value.
template <class... Args>
[[noreturn]] void fail(xconv_status status, fmt::format_string<Args...> format, Args &&...args)
{
    throw Error(status, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace xconv
