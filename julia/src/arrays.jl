# Which arrays the library can read as they are, and what becomes of the others.

"""
    dense(x, name)

`x` itself if its elements lie one after the other in a memory that XConv knows, else
a copy on the same device that does.
"""
dense(x::Array{<:Elements}, name) = x

function dense(x::AbstractArray{T}, name) where {T<:Elements}
    is_contiguous(x) && return x
    Base.require_one_based_indexing(x)
    d = device(x)
    d === nothing && throw(ArgumentError("$name is a $(typeof(x)), whose memory XConv does " *
        "not know; it works on Arrays and, with CUDA.jl loaded, on CuArrays"))
    return copyto!(allocate(d, T, size(x)), x)
end

dense(x::AbstractArray{T}, name) where {T} = throw(ArgumentError(
    "XConv computes in $(join(Base.uniontypes(Elements), ", ")), but $name is a $(typeof(x))"))

"""Whether the elements of `x` are memory without gaps, as those of a reshaped array or
of a view of whole slices."""
is_contiguous(x::AbstractArray) = storage_device(x) !== nothing
is_contiguous(x::Union{Base.ReshapedArray,SubArray}) =
    storage_device(root(x)) !== nothing && x isa StridedArray && has_dense_strides(x)

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

"""Throw unless `x` is on this device and has this element type and size."""
@inline function check_array(x::AbstractArray{T}, d::Device, wanted_dtype::Int32, wanted::Tuple,
                             name) where {T}
    dtype(T) == wanted_dtype || throw(ArgumentError(
        "$name is an array of $T, but the convolution is in $(julia_type(wanted_dtype))"))
    size(x) == wanted || throw(DimensionMismatch("$name must have size $wanted, got $(size(x))"))
    return check_place(x, d, name)
end

@inline check_place(x, d::Device, name) = same_place(device(x), d) ? nothing :
    throw(ArgumentError("$name is on $(device(x)), but what it belongs to is on $d"))

"""Throw unless the library can write to `y` itself."""
check_output(y, name) = is_contiguous(y) ? nothing :
    throw(ArgumentError("$name must be an array without gaps to be written to, got a $(typeof(y))"))

same_type(x::AbstractArray{T}, w::AbstractArray{T}) where {T} = nothing
same_type(x::AbstractArray, w::AbstractArray) = throw(ArgumentError(
    "all arrays must have the same element type, got $(eltype(x)) and $(eltype(w)); " *
    "convert one of them"))

address(x::AbstractArray) = raw(pointer(x))
address(::Nothing) = C_NULL
