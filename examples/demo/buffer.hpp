// Counted buffers: how the demo knows what really stays in memory between the
// forward and the backward pass.
//
// Every tensor a network makes lives in a Buffer, shared by whoever needs it
// and gone with its last owner. What is alive when the forward pass has ended
// is what the layers hold for the backward pass: a tensor two layers hold
// counts once, one that nobody holds does not count.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace demo {

enum class Kind { activation, sketch, relu_mask, pool_index };
inline constexpr size_t kKinds = 4;
const char *kind_name(Kind kind);

/// Live bytes of each kind.
using BytesByKind = std::array<size_t, kKinds>;
size_t total(const BytesByKind &bytes);

class Ledger;

class Buffer {
  public:
    Buffer(Ledger &ledger, Kind kind, size_t bytes, std::unique_ptr<std::byte[]> memory);
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer();

    [[nodiscard]] float *floats() { return reinterpret_cast<float *>(memory_.get()); }
    [[nodiscard]] std::byte *data() { return memory_.get(); }
    [[nodiscard]] size_t size() const { return bytes_; }

  private:
    Ledger &ledger_;
    Kind kind_;
    size_t bytes_;
    std::unique_ptr<std::byte[]> memory_;
};

using Shared = std::shared_ptr<Buffer>;

/// Makes buffers, counts the live ones, and gives their memory to later ones of
/// the same size, as the allocators of deep learning frameworks do. Must
/// outlive its buffers.
class Ledger {
  public:
    [[nodiscard]] Shared make(Kind kind, size_t bytes);
    [[nodiscard]] const BytesByKind &live() const { return live_; }

  private:
    friend class Buffer;
    void release(Kind kind, size_t bytes, std::unique_ptr<std::byte[]> memory);

    BytesByKind live_{};
    std::map<size_t, std::vector<std::unique_ptr<std::byte[]>>> spare_;
};

} // namespace demo
