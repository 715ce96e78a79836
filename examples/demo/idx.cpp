#include "idx.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <zlib.h>

namespace demo {
namespace {

// Far beyond any data set of this format; a larger size is a broken header.
constexpr size_t kMostBytes = size_t{1} << 34;
constexpr uint8_t kUnsignedByte = 0x08;

/// A file that zlib opens; zlib passes a file that is not gzipped through.
class File {
  public:
    explicit File(const std::filesystem::path &path)
        : path_(path), handle_(gzopen(path.c_str(), "rb"), &gzclose)
    {
        if (!handle_)
            fail("cannot be opened");
    }

    void read(uint8_t *to, size_t bytes, const char *what)
    {
        while (bytes > 0) {
            const auto chunk = static_cast<unsigned>(std::min<size_t>(bytes, 1U << 30));
            const int got = gzread(handle_.get(), to, chunk);
            if (got < 0)
                fail("is damaged: zlib cannot decompress it");
            if (got == 0)
                fail(fmt::format("ends inside its {}", what));
            to += got;
            bytes -= static_cast<size_t>(got);
        }
    }

    [[nodiscard]] bool at_end() { return gzgetc(handle_.get()) == -1; }

    [[noreturn]] void fail(const std::string &why) const
    {
        throw std::runtime_error(fmt::format("{} {}", path_.string(), why));
    }

  private:
    std::filesystem::path path_;
    std::unique_ptr<gzFile_s, int (*)(gzFile)> handle_;
};

} // namespace

IdxArray read_idx(const std::filesystem::path &path, size_t rank)
{
    File file(path);
    std::array<uint8_t, 4> magic{};
    file.read(magic.data(), magic.size(), "header");
    if (magic[0] != 0 || magic[1] != 0)
        file.fail("is not an IDX file: it must open with two zero bytes");
    if (magic[2] != kUnsignedByte)
        file.fail(fmt::format("holds IDX element type 0x{:02x}, expected unsigned bytes (0x08)",
                              magic[2]));
    if (magic[3] != rank)
        file.fail(fmt::format("has {} axes, expected {}", magic[3], rank));

    IdxArray array;
    size_t total = 1;
    for (size_t axis = 0; axis < rank; ++axis) {
        std::array<uint8_t, 4> b{};
        file.read(b.data(), b.size(), "header");
        const size_t size =
            size_t{b[0]} << 24U | size_t{b[1]} << 16U | size_t{b[2]} << 8U | size_t{b[3]};
        if (size == 0 || size > kMostBytes / total)
            file.fail(fmt::format("has an impossible size {} along axis {}", size, axis));
        total *= size;
        array.shape.push_back(size);
    }
    array.values.resize(total);
    file.read(array.values.data(), total, "data");
    if (!file.at_end())
        file.fail("goes on after the data its header announces");
    return array;
}

} // namespace demo
