// Part of xconv.hpp: what a layer is, in words.
#ifndef XCONV_DETAIL_DESCRIPTORS_HPP
#define XCONV_DETAIL_DESCRIPTORS_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <type_traits>
#include <utility>
#if defined(__STDCPP_FLOAT16_T__) || defined(__STDCPP_BFLOAT16_T__)
#include <stdfloat>
#endif

#include "support.hpp"

namespace xconv {
inline namespace api {

// ---------------------------------------------------------------------- enums

enum class DType : xconv_dtype {
    f32 = XCONV_F32,
    f64 = XCONV_F64,
    f16 = XCONV_F16,
    bf16 = XCONV_BF16
};

/// Bytes of one element.
[[nodiscard]] constexpr std::size_t element_size(DType dtype) noexcept
{
    return dtype == DType::f64 ? 8 : dtype == DType::f32 ? 4 : 2;
}

enum class Projection : xconv_projection {
    identity = XCONV_IDENTITY,
    dense = XCONV_DENSE,
    orthogonal = XCONV_ORTHOGONAL,
    independent = XCONV_INDEPENDENT
};

enum class Distribution : xconv_distribution {
    rademacher = XCONV_RADEMACHER,
    gaussian = XCONV_GAUSSIAN,
    uniform = XCONV_UNIFORM
};

enum class Contraction : xconv_contraction {
    automatic = XCONV_CONTRACTION_AUTO,
    dy_first = XCONV_DY_FIRST,
    x_first = XCONV_X_FIRST
};

/// The DType of a C++ type. 16-bit types have no common name, so a program says
/// once what its own is:
///     template <> struct xconv::Element<__half> : xconv::ElementIs<xconv::DType::f16> {};
template <class T> struct Element;
template <DType kDType> struct ElementIs {
    static constexpr DType dtype = kDType;
};
template <> struct Element<float> : ElementIs<DType::f32> {
};
template <> struct Element<double> : ElementIs<DType::f64> {
};
#ifdef __STDCPP_FLOAT16_T__
template <> struct Element<std::float16_t> : ElementIs<DType::f16> {
};
#endif
#ifdef __STDCPP_BFLOAT16_T__
template <> struct Element<std::bfloat16_t> : ElementIs<DType::bf16> {
};
#endif

template <class T> [[nodiscard]] constexpr DType dtype_of() noexcept
{
    constexpr DType dtype = Element<T>::dtype;
    static_assert(sizeof(T) == element_size(dtype), "xconv: Element<T> names another size");
    return dtype;
}

namespace detail {

inline const char *dtype_name(DType dtype)
{
    static constexpr const char *names[] = {"float", "double", "float16", "bfloat16"};
    return names[static_cast<xconv_dtype>(dtype)];
}
inline void check_dtype(DType own, DType given)
{
    if (own != given)
        throw error(XCONV_INVALID_ARGUMENT, std::string("xconv: ") + dtype_name(given) +
                                                " arrays where " + dtype_name(own) +
                                                " ones are needed");
}

} // namespace detail

// ---------------------------------------------------------------- descriptors

namespace detail {

/// Names a type where Range holds integers, one after the other.
template <class Range>
using enable_if_integers = std::enable_if_t<std::is_integral_v<
    std::remove_cv_t<std::remove_pointer_t<decltype(std::data(std::declval<const Range &>()))>>>>;

} // namespace detail

/// One number per spatial axis, slowest axis first; a single number means the
/// same on every axis.
class Axes {
  public:
    Axes(int64_t everywhere) : values_{everywhere, everywhere, everywhere} {} // NOLINT: see above
    Axes(std::initializer_list<int64_t> values) : Axes(values.begin(), values.size()) {}
    /// From a std::vector and the like, whose length is known when the program runs.
    template <class Range, class = detail::enable_if_integers<Range>>
    Axes(const Range &values) : Axes(std::data(values), std::size(values)) // NOLINT: see above
    {
    }
    /// Axes given one by one; 0 for a single number that goes for all.
    [[nodiscard]] int32_t rank() const noexcept { return static_cast<int32_t>(rank_); }

    /// Write the first `rank` entries to `to`. `name` is for the error message.
    void store(int32_t rank, const char *name, int64_t (&to)[3]) const
    {
        if (rank_ != 0 && this->rank() != rank)
            throw error(XCONV_INVALID_ARGUMENT,
                        std::string("xconv: ") + name + " has " + std::to_string(rank_) +
                            " axes where in_size has " + std::to_string(rank));
        for (int32_t axis = 0; axis < rank; ++axis)
            to[axis] = values_[axis];
    }

  private:
    template <class Integer> Axes(const Integer *values, std::size_t count) : rank_(count)
    {
        if (rank_ < 1 || rank_ > 3)
            throw error(XCONV_INVALID_ARGUMENT,
                        "xconv::Axes: one to three axes can be given, not " +
                            std::to_string(rank_));
        for (std::size_t axis = 0; axis < rank_; ++axis)
            values_[axis] = static_cast<int64_t>(values[axis]);
    }

    int64_t values_[3] = {0, 0, 0};
    std::size_t rank_ = 0;
};

namespace detail {

/// What a convolution and a pooling layer have in common: a window that moves
/// over an input. Self is the class derived from it, for chaining.
template <class Self> class Window {
  public:
    /// {D, H, W}, {H, W} or {W}, or as many in a std::vector; decides the rank.
    Self &in_size(std::initializer_list<int64_t> size) { return set(in_size_, Axes(size)); }
    template <class Range, class = enable_if_integers<Range>> Self &in_size(const Range &size)
    {
        return set(in_size_, Axes(size));
    }
    Self &kernel(const Axes &size) { return set(kernel_, size); }
    Self &stride(const Axes &step) { return set(stride_, step); }
    Self &padding(const Axes &both) { return padding(both, both); }
    Self &padding(const Axes &begin, const Axes &end)
    {
        pad_begin_ = begin;
        return set(pad_end_, end);
    }
    [[nodiscard]] DType dtype() const noexcept { return dtype_; }
    [[nodiscard]] int32_t rank() const noexcept { return in_size_.rank(); }

  protected:
    explicit Window(DType dtype) : dtype_(dtype) {}

    template <class Field> Self &set(Field &field, const Field &value)
    {
        field = value;
        return static_cast<Self &>(*this);
    }
    /// Write all of this to a C descriptor.
    template <class Desc> void store(Desc &desc) const
    {
        if (rank() == 0)
            throw error(XCONV_INVALID_ARGUMENT, "xconv: in_size has not been given");
        desc.dtype = static_cast<xconv_dtype>(dtype_);
        desc.rank = rank();
        in_size_.store(desc.rank, "in_size", desc.in_size);
        kernel_.store(desc.rank, "kernel", desc.kernel);
        stride_.store(desc.rank, "stride", desc.stride);
        pad_begin_.store(desc.rank, "padding (begin)", desc.pad_begin);
        pad_end_.store(desc.rank, "padding (end)", desc.pad_end);
    }

  private:
    DType dtype_;
    Axes in_size_ = 0, kernel_ = 0, stride_ = 1, pad_begin_ = 0, pad_end_ = 0;
};

} // namespace detail

/// Geometry of a convolution, xconv_conv_desc in words. batch, channels, in_size
/// and kernel have to be given.
class Conv : public detail::Window<Conv> {
  public:
    explicit Conv(DType dtype = DType::f32) : Window(dtype) {}
    Conv &batch(int64_t count) { return set(desc_.batch, count); }
    Conv &channels(int64_t in, int64_t out)
    {
        desc_.in_channels = in;
        return set(desc_.out_channels, out);
    }
    Conv &groups(int64_t count) { return set(desc_.groups, count); }
    Conv &dilation(const Axes &step) { return set(dilation_, step); }
    /// Mirror the kernel: convolution instead of cross-correlation.
    Conv &flip(bool on = true) { return set(desc_.flip, int32_t{on}); }
    /// dw and db in float, for tensors of 16 bits.
    Conv &float32_dw(bool on = true) { return set(desc_.float32_dw, int32_t{on}); }
    /// Of dw and db.
    [[nodiscard]] DType dw_dtype() const noexcept
    {
        return desc_.float32_dw != 0 ? DType::f32 : dtype();
    }

    /// The C descriptor; throws without in_size, and when two settings differ in
    /// their number of axes.
    [[nodiscard]] xconv_conv_desc desc() const
    {
        xconv_conv_desc desc = desc_;
        store(desc);
        dilation_.store(desc.rank, "dilation", desc.dilation);
        return desc;
    }

  private:
    xconv_conv_desc desc_ = XCONV_CONV_DESC_INIT;
    Axes dilation_ = 1;
};

/// Geometry of a max pooling layer, xconv_pool_desc in words. batch, channels,
/// in_size and kernel have to be given; windows move by 1 unless told.
class Pool : public detail::Window<Pool> {
  public:
    explicit Pool(DType dtype = DType::f32) : Window(dtype) {}
    Pool &batch(int64_t count) { return set(desc_.batch, count); }
    Pool &channels(int64_t count) { return set(desc_.channels, count); }

    /// The C descriptor; throws without in_size, and when two settings differ in
    /// their number of axes.
    [[nodiscard]] xconv_pool_desc desc() const
    {
        xconv_pool_desc desc = desc_;
        store(desc);
        return desc;
    }

  private:
    xconv_pool_desc desc_ = XCONV_POOL_DESC_INIT;
};

/// What is kept of x: quantize(project(x - mean)), and the mean itself. The static
/// functions project, the others add to that:
///     Scheme::independent(32).deflate_mean().bits(2)
/// Every one of them gives the exact filter gradient on average. What goes together
/// is written at xconv_scheme_desc; a plan refuses the rest.
class Scheme {
  public:
    /// Everything: the exact gradient.
    [[nodiscard]] static Scheme exact() { return Scheme(Projection::identity, 0, {}); }
    /// Every number, in 1, 2, 4 or 8 bits.
    [[nodiscard]] static Scheme quantize(int32_t bits) { return exact().bits(bits); }
    /// `probes` numbers per sample.
    [[nodiscard]] static Scheme dense(int64_t probes, Distribution z = Distribution::rademacher)
    {
        return Scheme(Projection::dense, probes, z);
    }
    /// At most `probes` numbers per sample, dealt out to the channels.
    [[nodiscard]] static Scheme orthogonal(int64_t probes,
                                           Distribution z = Distribution::rademacher)
    {
        return Scheme(Projection::orthogonal, probes, z);
    }
    /// `probes` numbers per channel and sample.
    [[nodiscard]] static Scheme independent(int64_t probes,
                                            Distribution z = Distribution::rademacher)
    {
        return Scheme(Projection::independent, probes, z);
    }
    /// Any composition that xconv.h can express.
    explicit Scheme(const xconv_scheme_desc &desc) : desc_(desc) {}

    /// Keep the mean of every channel apart, and probe the rest alone.
    Scheme &deflate_mean(bool on = true) { return set(desc_.deflate_mean, int32_t{on}); }
    /// Round the kept numbers to 1, 2, 4 or 8 bits at random; 0 keeps them whole.
    Scheme &bits(int32_t count) { return set(desc_.bits, count); }
    /// So many neighbouring numbers share a scale: a multiple of 8; 0 leaves it open.
    Scheme &group(int64_t numbers) { return set(desc_.group, numbers); }

    [[nodiscard]] Projection projection() const noexcept
    {
        return static_cast<Projection>(desc_.projection);
    }
    [[nodiscard]] xconv_scheme_desc desc() const noexcept { return desc_; }
    /// For people, such as "independent r=32 + mean + 2 bits".
    [[nodiscard]] std::string name() const
    {
        static constexpr const char *projections[] = {"identity", "dense", "orthogonal",
                                                      "independent"};
        static constexpr const char *distributions[] = {"", " gaussian", " uniform"};
        const std::string bits =
            std::to_string(desc_.bits) + (desc_.bits == 1 ? " bit" : " bits") +
            (desc_.group != 0 ? " in groups of " + std::to_string(desc_.group) : "");
        if (projection() == Projection::identity)
            return desc_.bits == 0 ? "exact" : bits;
        if (desc_.projection < 0 || desc_.projection > XCONV_INDEPENDENT ||
            desc_.distribution < 0 || desc_.distribution > XCONV_UNIFORM)
            return "not a scheme";
        return projections[desc_.projection] + (" r=" + std::to_string(desc_.probes)) +
               distributions[desc_.distribution] + (desc_.deflate_mean != 0 ? " + mean" : "") +
               (desc_.bits != 0 ? " + " + bits : "");
    }

  private:
    Scheme(Projection projection, int64_t probes, Distribution z)
    {
        desc_.projection = static_cast<xconv_projection>(projection);
        desc_.distribution = static_cast<xconv_distribution>(z);
        desc_.probes = probes;
    }
    template <class Field> Scheme &set(Field &field, Field value)
    {
        field = value;
        return *this;
    }
    xconv_scheme_desc desc_ = XCONV_SCHEME_DESC_INIT;
};

/// How a plan goes about it; never what it computes.
struct Options {
    Contraction contraction = Contraction::automatic;
    /// Bytes; 0 = max(32 MiB, a quarter of x, three times w).
    int64_t workspace_limit = 0;
};

} // namespace api
} // namespace xconv

#endif // XCONV_DETAIL_DESCRIPTORS_HPP
