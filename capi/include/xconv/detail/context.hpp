// Part of xconv.hpp: where work runs.
#ifndef XCONV_DETAIL_CONTEXT_HPP
#define XCONV_DETAIL_CONTEXT_HPP

#include <cstdint>
#include <memory>

#include "support.hpp"

namespace xconv {
inline namespace api {

/// Where work runs and with how many threads. Copies share one handle.
class Context {
  public:
    /// The CPU; 0 threads = OpenMP's default at this moment.
    explicit Context(int32_t threads = 0) : Context(with_threads(threads)) {}
    explicit Context(const xconv_context_desc &desc)
    {
        xconv_context *made = nullptr;
        check(xconv_context_create(&desc, &made));
        handle_.reset(made, xconv_context_destroy);
    }
    [[nodiscard]] int32_t threads() const
    {
        int32_t count = 0;
        check(xconv_context_threads(get(), &count));
        return count;
    }
    /// For calls of xconv.h; the handle stays this object's.
    [[nodiscard]] const xconv_context *get() const noexcept { return handle_.get(); }

  private:
    static xconv_context_desc with_threads(int32_t threads)
    {
        xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
        desc.threads = threads;
        return desc;
    }
    std::shared_ptr<xconv_context> handle_;
};

} // namespace api
} // namespace xconv

#endif // XCONV_DETAIL_CONTEXT_HPP
