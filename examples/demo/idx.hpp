// Reader of IDX, the format of MNIST and of the data sets that followed it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace demo {

/// An array of unsigned bytes, slowest axis first.
struct IdxArray {
    std::vector<size_t> shape;
    std::vector<uint8_t> values;
};

/// Read a file of unsigned bytes with `rank` axes, gzipped or not. Throws
/// std::runtime_error, naming the file, when it is anything else.
IdxArray read_idx(const std::filesystem::path &file, size_t rank);

} // namespace demo
