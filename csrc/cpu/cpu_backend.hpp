// The CPU backend: forwards each operation to the file that implements it.
#pragma once

#include <memory>

#include "backend.hpp"

namespace xconv::cpu {

/// Create the CPU backend for a context; throws Error on a bad descriptor.
std::shared_ptr<const Backend> make_cpu_backend(const xconv_context_desc &desc);
/// "oneDNN 2.6.3, CBLAS, avx512".
std::string describe_cpu_backend();

} // namespace xconv::cpu
