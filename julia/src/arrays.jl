# Which arrays the library can read as they are, and what becomes of the others.

"""
    dense(x, name)

`x` itself if its elements lie one after the other in this machine's memory, else a
copy that does. Arrays of other devices are refused rather than moved.
"""
dense(x::Array{<:Union{Float32,Float64}}, name) = x

function dense(x::AbstractArray{T}, name) where {T<:Union{Float32,Float64}}
    Base.require_one_based_indexing(x)
    is_contiguous(x) && return x
    return on_host(x, name)
end

dense(x::AbstractArray{T}, name) where {T} = throw(ArgumentError(
    "XConv computes in Float32 and Float64, but $name is a $(typeof(x))"))

"""Whether `x` is memory of an Array without gaps, such as a reshaped one or a view
of whole slices."""
is_contiguous(x::AbstractArray) = false
is_contiguous(x::Array) = true
is_contiguous(x::Union{Base.ReshapedArray,SubArray}) =
    root(x) isa Array && x isa StridedArray && has_dense_strides(x)

root(x::Union{Base.ReshapedArray,SubArray}) = root(parent(x))
root(x) = x

function has_dense_strides(x::StridedArray)
    expected = 1
    for d in 1:ndims(x)
        size(x, d) == 1 || stride(x, d) == expected || return false
        expected *= size(x, d)
    end
    return true
end

"""A copy of `x` as an Array. Lazy arrays (ranges, fills, adjoints) allocate Arrays
when asked for similar ones; arrays of a GPU do not, which gives them away."""
function on_host(x::AbstractArray{T,N}, name) where {T,N}
    on_cpu(x) || throw(ArgumentError(
        "$name is a $(typeof(x)), which does not live in this machine's memory; " *
        "this version of XConv works on the CPU only"))
    return copyto!(Array{T,N}(undef, size(x)), x)
end

"""Whether `dense` would take `x`: its element type is one of ours and it lives here."""
on_cpu(x) = false
on_cpu(x::Array{<:Union{Float32,Float64}}) = true
on_cpu(x::AbstractArray{T,N}) where {T<:Union{Float32,Float64},N} =
    similar(x, T, ntuple(_ -> 0, Val(N))) isa Array

"""Throw unless `x` has the element type of the plan and this size."""
@inline function check_array(x::AbstractArray{T}, plan_dtype::Int32, wanted::Tuple, name) where {T}
    dtype(T) == plan_dtype || throw(ArgumentError(
        "$name is an array of $T, but the convolution is in $(julia_type(plan_dtype))"))
    size(x) == wanted || throw(DimensionMismatch("$name must have size $wanted, got $(size(x))"))
    return nothing
end

julia_type(dtype::Int32) = dtype == XCONV_F32 ? Float32 : Float64

same_type(x::AbstractArray{T}, w::AbstractArray{T}) where {T} = nothing
same_type(x::AbstractArray, w::AbstractArray) = throw(ArgumentError(
    "all arrays must have the same element type, got $(eltype(x)) and $(eltype(w)); " *
    "convert one of them"))

address(x::AbstractArray) = Ptr{Cvoid}(pointer(x))
address(::Nothing) = C_NULL
