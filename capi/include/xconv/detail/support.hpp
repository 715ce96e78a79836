// Part of xconv.hpp: errors, and bytes owned or looked at.
#ifndef XCONV_DETAIL_SUPPORT_HPP
#define XCONV_DETAIL_SUPPORT_HPP

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "../xconv.h"

namespace xconv {
// The inline namespace keeps these classes apart from those inside the library,
// with which a statically linked program shares its symbol table.
inline namespace api {

// --------------------------------------------------------------------- errors

/// A call failed: what() names the function, the argument and its value.
class error : public std::runtime_error {
  public:
    error(xconv_status status, const std::string &detail)
        : std::runtime_error(std::string(xconv_status_name(status)) + ": " + detail),
          status_(status)
    {
    }
    [[nodiscard]] xconv_status status() const noexcept { return status_; }

  private:
    xconv_status status_;
};

/// Throw unless `status` is XCONV_SUCCESS. For calls of xconv.h made by hand.
inline void check(xconv_status status)
{
    if (status != XCONV_SUCCESS)
        throw error(status, xconv_last_error());
}

// --------------------------------------------------------------------- memory

/// Owned, uninitialised bytes; movable.
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(std::size_t size) : data_(new std::byte[size]), size_(size) {}
    Buffer(Buffer &&from) noexcept
        : data_(std::move(from.data_)), size_(std::exchange(from.size_, 0))
    {
    }
    Buffer &operator=(Buffer &&from) noexcept
    {
        data_ = std::move(from.data_);
        size_ = std::exchange(from.size_, 0);
        return *this;
    }
    [[nodiscard]] std::byte *data() noexcept { return data_.get(); }
    [[nodiscard]] const std::byte *data() const noexcept { return data_.get(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

  private:
    std::unique_ptr<std::byte[]> data_;
    std::size_t size_ = 0;
};

namespace detail {

/// A view of bytes somebody else owns; Void is void or const void.
template <class Void> class BasicBytes {
  public:
    constexpr BasicBytes() noexcept = default;
    constexpr BasicBytes(std::nullptr_t) noexcept {} // NOLINT: "keep nothing" reads well
    constexpr BasicBytes(Void *data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// All the bytes of a container of plain elements. Temporaries bind to
    /// read-only views alone.
    template <class Container,
              class Element = std::remove_pointer_t<decltype(std::declval<Container &>().data())>,
              class = std::enable_if_t<std::is_convertible_v<Element *, Void *> &&
                                       std::is_trivially_copyable_v<Element>>>
    BasicBytes(Container &&from) // NOLINT: converting is its purpose
        : data_(from.data()), size_(from.size() * sizeof(Element))
    {
        static_assert(std::is_const_v<Void> || std::is_lvalue_reference_v<Container>,
                      "xconv: results would be written to a temporary");
    }
    [[nodiscard]] constexpr Void *data() const noexcept { return data_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

  private:
    Void *data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace detail

using Bytes = detail::BasicBytes<void>;
using ConstBytes = detail::BasicBytes<const void>;

} // namespace api
} // namespace xconv

#endif // XCONV_DETAIL_SUPPORT_HPP
