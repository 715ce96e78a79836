// Cuts one workspace into aligned pieces, the same way when it is measured and
// when it is used.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backend.hpp"
#include "checked.hpp"

namespace xconv {

/// take() pieces in the same order for sizing (base = null) and for use.
class Arena {
  public:
    explicit Arena(void *base) : base_(static_cast<std::byte *>(base)) {}

    template <class T = void> T *take(int64_t bytes)
    {
        const int64_t at = used_;
        used_ = checked_add(used_, round_up(bytes, kAlignment), "workspace");
        return base_ == nullptr ? nullptr : static_cast<T *>(static_cast<void *>(base_ + at));
    }
    [[nodiscard]] int64_t used() const { return used_; }

  private:
    std::byte *base_;
    int64_t used_ = 0;
};

} // namespace xconv
