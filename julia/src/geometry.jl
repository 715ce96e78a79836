# From Julia's arrays and keywords to the library's descriptors. Julia lists sizes
# fastest axis first (W, H, D), the library slowest first (D, H, W): the bytes are
# the same, so only the lists are reversed.

"""How a filter moves over `N` spatial axes, in Julia's order."""
struct ConvOptions{N}
    stride::NTuple{N,Int}
    pad_begin::NTuple{N,Int}
    pad_end::NTuple{N,Int}
    dilation::NTuple{N,Int}
    groups::Int
    flipped::Bool
    float32_dw::Bool
end

"""
    ConvOptions(Val(N); stride=1, pad=0, dilation=1, groups=1, flipped=false,
                float32_dw=false)

The keywords mean what they mean to NNlib.conv: `pad` is one number, one per axis,
or (begin, end) per axis in one flat tuple; `flipped=true` is cross-correlation.
With `float32_dw`, filter and bias gradients of Float16 arrays are Float32.
"""
function ConvOptions(::Val{N}; stride=1, pad=0, dilation=1, groups::Integer=1,
                     flipped::Bool=false, float32_dw::Bool=false) where {N}
    pad_begin, pad_end = split_pad(Val(N), pad)
    return ConvOptions{N}(per_axis(Val(N), stride, "stride"), pad_begin, pad_end,
        per_axis(Val(N), dilation, "dilation"), groups, flipped, float32_dw)
end

per_axis(::Val{N}, value::Integer, name) where {N} = ntuple(_ -> Int(value), Val(N))
per_axis(::Val{N}, value::NTuple{N,Integer}, name) where {N} = map(Int, value)
per_axis(::Val{N}, value, name) where {N} =
    throw(ArgumentError("$name must be a number or $N of them, got $(repr(value))"))

function split_pad(::Val{N}, pad::Tuple{Vararg{Integer}}) where {N}
    length(pad) == N && return map(Int, pad), map(Int, pad)
    length(pad) == 2N ||
        throw(ArgumentError("pad must be a number, $N of them, or $(2N) of them, got $pad"))
    return ntuple(i -> Int(pad[2i-1]), Val(N)), ntuple(i -> Int(pad[2i]), Val(N))
end
split_pad(::Val{N}, pad) where {N} = (p = per_axis(Val(N), pad, "pad"); (p, p))

"""The first entries of a triple in the library's order; the others `fill`."""
to_library(sizes::NTuple{N,Integer}, fill=0) where {N} =
    ntuple(i -> i <= N ? Int64(sizes[N+1-i]) : Int64(fill), Val(3))

"""Julia's order again, of the first N of a triple."""
from_library(triple::Triple, ::Val{N}) where {N} = ntuple(i -> Int(triple[N+1-i]), Val(N))

const Elements = Union{Float16,Float32,Float64}

dtype(::Type{Float16}) = XCONV_F16
dtype(::Type{Float32}) = XCONV_F32
dtype(::Type{Float64}) = XCONV_F64
dtype(T::Type) = throw(ArgumentError(
    "XConv computes in $(join(Base.uniontypes(Elements), ", ")), not in $T"))

julia_type(dtype::Int32) =
    dtype == XCONV_F16 ? Float16 : dtype == XCONV_F32 ? Float32 : Float64

"""Sizes of one convolution: x, w and the options, checked against each other."""
function ConvDesc(T::Type, xsize::NTuple{M,Int}, wsize::NTuple{M,Int},
                  o::ConvOptions{N}) where {M,N}
    M == N + 2 && 1 <= N <= 3 ||
        throw(DimensionMismatch("x and w must have rank 3, 4 or 5, got sizes $xsize and $wsize"))
    o.groups >= 1 || throw(ArgumentError("groups must be at least 1, got $(o.groups)"))
    xsize[N+1] == wsize[N+1] * o.groups || throw(DimensionMismatch(
        "x has $(xsize[N+1]) channels, but w of size $wsize with groups=$(o.groups) " *
        "takes $(wsize[N+1] * o.groups)"))
    wsize[N+2] % o.groups == 0 || throw(DimensionMismatch(
        "w makes $(wsize[N+2]) channels, which $(o.groups) groups do not divide"))
    all(>(0), xsize) && all(>(0), wsize) ||
        throw(DimensionMismatch("x and w must not be empty, got sizes $xsize and $wsize"))
    in_size = ntuple(i -> xsize[i], Val(N))
    kernel = ntuple(i -> wsize[i], Val(N))
    check_moves(o.stride, o.pad_begin, o.pad_end)
    all(>=(1), o.dilation) ||
        throw(ArgumentError("dilation must be at least 1 along every axis, got $(o.dilation)"))
    extent = o.dilation .* (kernel .- 1) .+ 1
    check_fits("w", wsize, o.dilation, extent, in_size, o.pad_begin, o.pad_end)
    return ConvDesc(sizeof(ConvDesc), N, dtype(T), !o.flipped, o.float32_dw,
        xsize[M], xsize[M-1], wsize[M], o.groups,
        to_library(in_size), to_library(kernel), to_library(o.stride), to_library(o.dilation),
        to_library(o.pad_begin), to_library(o.pad_end))
end

# The library refuses these as well, in its own names and in its own order of the axes.
function check_moves(stride, pad_begin, pad_end)
    all(>=(1), stride) ||
        throw(ArgumentError("stride must be at least 1 along every axis, got $stride"))
    all(>=(0), pad_begin) && all(>=(0), pad_end) || throw(ArgumentError("pad must not be negative, " *
        "got (begin, end) = $(join(zip(pad_begin, pad_end), ", ")) along the axes"))
    return nothing
end

"""Throw unless the window `name` fits into the padded image at least once."""
function check_fits(name, size, dilation, extent, in_size, pad_begin, pad_end)
    padded = in_size .+ pad_begin .+ pad_end
    all(extent .<= padded) && return nothing
    d = findfirst(extent .> padded)
    dilated = all(==(1), dilation) ? "" : " with dilation=$dilation"
    throw(DimensionMismatch("$name of size $size$dilated is larger than x along dimension $d: " *
        "it covers $(extent[d]), and the padded x has $(padded[d])"))
end

ConvDesc(T::Type, xsize::Tuple, wsize::Tuple, ::ConvOptions) = throw(DimensionMismatch(
    "x and w must have the same rank, 3, 4 or 5; got sizes $xsize and $wsize"))
