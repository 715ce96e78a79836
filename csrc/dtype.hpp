// Element types: the runtime tag and the step from it to a C++ type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "error.hpp"
#include "half.hpp"

namespace xconv {

enum class Dtype : int32_t { f32 = XCONV_F32, f64 = XCONV_F64, f16 = XCONV_F16, bf16 = XCONV_BF16 };

constexpr int64_t element_bytes(Dtype dtype)
{
    switch (dtype) {
    case Dtype::f64:
        return 8;
    case Dtype::f32:
        return 4;
    default:
        return 2;
    }
}

constexpr const char *dtype_name(Dtype dtype)
{
    switch (dtype) {
    case Dtype::f64:
        return "f64";
    case Dtype::f32:
        return "f32";
    case Dtype::f16:
        return "f16";
    default:
        return "bf16";
    }
}

/// What numbers made from tensors of a type are computed and kept in: Float32 for
/// the 16-bit types, which only store.
constexpr Dtype compute_dtype(Dtype dtype) { return dtype == Dtype::f64 ? dtype : Dtype::f32; }

/// Memory so many bytes further on.
inline const void *at_byte(const void *base, int64_t bytes)
{
    return static_cast<const std::byte *>(base) + bytes;
}
inline void *at_byte(void *base, int64_t bytes) { return static_cast<std::byte *>(base) + bytes; }

/// So many elements further on.
inline const void *at_element(Dtype dtype, const void *base, int64_t elements)
{
    return at_byte(base, elements * element_bytes(dtype));
}
inline void *at_element(Dtype dtype, void *base, int64_t elements)
{
    return at_byte(base, elements * element_bytes(dtype));
}

template <class T> struct TypeTag {
    using type = T;
};

/// compute_dtype() of a C++ type.
template <class T> struct Compute {
    using type = float;
};
template <> struct Compute<double> {
    using type = double;
};
template <class T> using ComputeType = typename Compute<T>::type;

/// Whether a type only stores.
template <class T> inline constexpr bool is_half = !std::is_same_v<T, ComputeType<T>>;

/// Call f(TypeTag<T>{}) with the C++ type that a compute type stands for.
template <class F> decltype(auto) with_type(Dtype dtype, F &&f)
{
    if (dtype == Dtype::f64) {
        return f(TypeTag<double>{});
    }
    if (dtype != Dtype::f32) {
        fail(XCONV_INTERNAL, "{}: not a type to compute in", dtype_name(dtype));
    }
    return f(TypeTag<float>{});
}

/// The same for any tensor's type.
template <class F> decltype(auto) with_tensor_type(Dtype dtype, F &&f)
{
    if (dtype == Dtype::f16) {
        return f(TypeTag<Float16>{});
    }
    if (dtype == Dtype::bf16) {
        return f(TypeTag<BFloat16>{});
    }
    return with_type(dtype, f);
}

} // namespace xconv
