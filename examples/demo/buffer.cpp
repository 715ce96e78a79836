#include "buffer.hpp"

#include <numeric>
#include <utility>

namespace demo {

const char *kind_name(Kind kind)
{
    switch (kind) {
    case Kind::activation:
        return "activations";
    case Kind::sketch:
        return "sketches";
    case Kind::relu_mask:
        return "relu_masks";
    case Kind::pool_index:
        return "pool_indices";
    }
    return "unknown";
}

size_t total(const BytesByKind &bytes)
{
    return std::accumulate(bytes.begin(), bytes.end(), size_t{0});
}

Buffer::Buffer(Ledger &ledger, Kind kind, size_t bytes, std::unique_ptr<std::byte[]> memory)
    : ledger_(ledger), kind_(kind), bytes_(bytes), memory_(std::move(memory))
{
    ledger_.live_[static_cast<size_t>(kind)] += bytes;
}

Buffer::~Buffer() { ledger_.release(kind_, bytes_, std::move(memory_)); }

Shared Ledger::make(Kind kind, size_t bytes)
{
    std::unique_ptr<std::byte[]> memory;
    if (auto &spare = spare_[bytes]; !spare.empty()) {
        memory = std::move(spare.back());
        spare.pop_back();
    }
    else
        memory.reset(new std::byte[bytes]);
    return std::make_shared<Buffer>(*this, kind, bytes, std::move(memory));
}

void Ledger::release(Kind kind, size_t bytes, std::unique_ptr<std::byte[]> memory)
{
    live_[static_cast<size_t>(kind)] -= bytes;
    spare_[bytes].push_back(std::move(memory));
}

} // namespace demo
