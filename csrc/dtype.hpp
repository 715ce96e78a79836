// Element types: the runtime tag and the step from it to a C++ type.
#pragma once

#include <cstdint>

#include "error.hpp"

namespace xconv {

enum class Dtype : int32_t { f32 = XCONV_F32, f64 = XCONV_F64 };

constexpr int64_t element_bytes(Dtype dtype) { return dtype == Dtype::f64 ? 8 : 4; }

constexpr const char *dtype_name(Dtype dtype) { return dtype == Dtype::f64 ? "f64" : "f32"; }

template <class T> struct TypeTag {
    using type = T;
};

/// Call f(TypeTag<T>{}) with the C++ type that `dtype` stands for.
template <class F> decltype(auto) with_type(Dtype dtype, F &&f)
{
    if (dtype == Dtype::f64) {
        return f(TypeTag<double>{});
    }
    return f(TypeTag<float>{});
}

} // namespace xconv
