// Part of xconv.hpp: what a layer is, in words.
#ifndef XCONV_DETAIL_DESCRIPTORS_HPP
#define XCONV_DETAIL_DESCRIPTORS_HPP

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "support.hpp"

namespace xconv {
inline namespace api {

// ---------------------------------------------------------------------- enums

enum class DType : xconv_dtype { f32 = XCONV_F32, f64 = XCONV_F64 };

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

/// The DType of float and of double.
template <class T> [[nodiscard]] constexpr DType dtype_of() noexcept
{
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>,
                  "xconv: elements are float or double");
    return std::is_same_v<T, float> ? DType::f32 : DType::f64;
}

// ---------------------------------------------------------------- descriptors

/// One number per spatial axis, slowest axis first; a single number means the
/// same on every axis.
class Axes {
  public:
    Axes(int64_t everywhere) : values_{everywhere, everywhere, everywhere} {} // NOLINT: see above
    Axes(std::initializer_list<int64_t> values) : rank_(values.size())
    {
        if (rank_ < 1 || rank_ > 3)
            throw error(XCONV_INVALID_ARGUMENT,
                        "xconv::Axes: one to three axes can be given, not " +
                            std::to_string(rank_));
        std::size_t axis = 0;
        for (const int64_t value : values)
            values_[axis++] = value;
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
    int64_t values_[3] = {0, 0, 0};
    std::size_t rank_ = 0;
};

namespace detail {

/// What a convolution and a pooling layer have in common: a window that moves
/// over an input. Self is the class derived from it, for chaining.
template <class Self> class Window {
  public:
    /// {D, H, W}, {H, W} or {W}; decides the rank.
    Self &in_size(std::initializer_list<int64_t> size) { return set(in_size_, Axes(size)); }
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

    /// The C descriptor; throws when two settings differ in their number of axes.
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

    /// The C descriptor; throws when two settings differ in their number of axes.
    [[nodiscard]] xconv_pool_desc desc() const
    {
        xconv_pool_desc desc = desc_;
        store(desc);
        return desc;
    }

  private:
    xconv_pool_desc desc_ = XCONV_POOL_DESC_INIT;
};

/// What is kept of x. All of them give the exact filter gradient on average.
class Scheme {
  public:
    /// Everything: the exact gradient.
    [[nodiscard]] static Scheme exact() { return Scheme(XCONV_IDENTITY, 0, {}); }
    /// `probes` numbers per sample.
    [[nodiscard]] static Scheme dense(int64_t probes, Distribution z = Distribution::rademacher)
    {
        return Scheme(XCONV_DENSE, probes, z);
    }
    /// At most `probes` numbers per sample, dealt out to the channels.
    [[nodiscard]] static Scheme orthogonal(int64_t probes,
                                           Distribution z = Distribution::rademacher)
    {
        return Scheme(XCONV_ORTHOGONAL, probes, z);
    }
    /// `probes` numbers per channel and sample.
    [[nodiscard]] static Scheme independent(int64_t probes,
                                            Distribution z = Distribution::rademacher)
    {
        return Scheme(XCONV_INDEPENDENT, probes, z);
    }
    /// Any composition that xconv.h can express.
    explicit Scheme(const xconv_scheme_desc &desc) : desc_(desc) {}
    [[nodiscard]] const xconv_scheme_desc &desc() const noexcept { return desc_; }

  private:
    Scheme(xconv_projection projection, int64_t probes, Distribution z)
    {
        desc_.projection = projection;
        desc_.distribution = static_cast<xconv_distribution>(z);
        desc_.probes = probes;
    }
    xconv_scheme_desc desc_ = XCONV_SCHEME_DESC_INIT;
};

/// How a plan goes about it; never what it computes.
struct Options {
    Contraction contraction = Contraction::automatic;
    int64_t workspace_limit = 0; ///< bytes; 0 = max(32 MiB, a quarter of x)
};

} // namespace api
} // namespace xconv

#endif // XCONV_DETAIL_DESCRIPTORS_HPP
