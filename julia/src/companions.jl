# ReLU and max pooling that keep bits instead of arrays: a convolution that lets go
# of its input saves nothing while its neighbour holds the same array.

"""Which elements of an array were positive, one bit each, of `relu!`."""
struct ReluMask{V<:AbstractVector{UInt8}}
    bits::V
    negative_slope::Float64
end

"""Call the library outside a plan, on the device `d`."""
function run_companion(call, d::Device, pass::Symbol)
    ctx = context(d)
    traced(() -> GC.@preserve(ctx, check(call(ctx.handle))), pass, 0)
end

"""
    XConv.relu!(y; negative_slope=0, ceiling=Inf, keep=false) -> ReluMask or nothing

Apply ReLU, leaky ReLU (`negative_slope`) or clipped ReLU (`ceiling`) in place.
With `keep`, return the mask that [`XConv.∇relu`](@ref) needs.
"""
function relu!(y::AbstractArray{T}; negative_slope::Real=0, ceiling::Real=Inf,
               keep::Bool=false) where {T}
    check_output(y, "y")
    d = device(y)
    bits = keep ? allocate(d, UInt8, (relu_mask_bytes(length(y)),)) : nothing
    isempty(y) || GC.@preserve y bits run_companion(d, :relu_forward) do ctx
        xconv_relu_forward(ctx, dtype(T), length(y), negative_slope, ceiling, address(y),
            address(y), address(bits), keep ? length(bits) : 0)
    end
    return keep ? ReluMask(bits, Float64(negative_slope)) : nothing
end

function relu_mask_bytes(count::Integer)
    count == 0 && return 0
    bytes = Ref{Int64}(0)
    check(xconv_relu_mask_bytes(count, bytes))
    return Int(bytes[])
end

"""
    XConv.∇relu(mask, dy)

Gradient of `relu!`, in a new array.
"""
function ∇relu(mask::ReluMask, dy::AbstractArray{T}) where {T}
    dyd, bits = dense(dy, "dy"), mask.bits
    length(bits) == relu_mask_bytes(length(dyd)) || throw(DimensionMismatch(
        "dy has $(length(dyd)) elements, but the mask is $(length(bits)) bytes long"))
    d = device(dyd)
    check_place(dyd, device(bits), "dy")
    dx = allocate(d, T, size(dyd))
    isempty(dx) || GC.@preserve dyd bits dx run_companion(d, :relu_backward) do ctx
        xconv_relu_backward(ctx, dtype(T), length(dx), mask.negative_slope, address(bits),
            length(bits), address(dyd), address(dx))
    end
    return dx
end

# ------------------------------------------------------------------- max pool

"""Where each window's maximum was, in a few bits per output, of `maxpool`."""
struct PoolIndex{V<:AbstractVector{UInt8}}
    bits::V
    desc::PoolDesc
end

function PoolDesc(T::Type, xsize::NTuple{M,Int}, k::NTuple{N,Integer}; pad=0, stride=k) where {M,N}
    M == N + 2 && 1 <= N <= 3 || throw(DimensionMismatch(
        "a window over $N axes needs x of rank $(N + 2) (3, 4 or 5), got size $xsize"))
    pad_begin, pad_end = split_pad(Val(N), pad)
    moves = per_axis(Val(N), stride, "stride")
    in_size = ntuple(i -> xsize[i], Val(N))
    check_moves(moves, pad_begin, pad_end)
    all(>=(1), k) || throw(ArgumentError("the window must be at least 1 along every axis, got $k"))
    check_fits("a window", k, map(one, k), k, in_size, pad_begin, pad_end)
    check_windows(k, moves, in_size, pad_begin, pad_end)
    return PoolDesc(sizeof(PoolDesc), N, dtype(T), xsize[M], xsize[M-1],
        to_library(in_size), to_library(k), to_library(moves), to_library(pad_begin),
        to_library(pad_end))
end

"""Throw if the first or the last window holds padding only: it has no maximum."""
function check_windows(k, stride, in_size, pad_begin, pad_end)
    last_start = (in_size .+ pad_begin .+ pad_end .- k) .÷ stride .* stride
    empty = (pad_begin .>= k) .| (last_start .>= in_size .+ pad_begin)
    any(empty) || return nothing
    d = findfirst(empty)
    throw(ArgumentError("pad = ($(pad_begin[d]), $(pad_end[d])) along dimension $d leaves a window " *
        "of size $k nothing but padding"))
end

function query(desc::PoolDesc, what::Int32)
    value = Ref{Int64}(0)
    check(xconv_maxpool_query(Ref(desc), what, value))
    return Int(value[])
end

"""
    XConv.maxpool(x, k; pad=0, stride=k, keep=false) -> y, PoolIndex or nothing

Max pooling over windows of size `k`, in NNlib's conventions. With `keep`, also the
index that [`XConv.∇maxpool`](@ref) needs.
"""
function maxpool(x::AbstractArray{T,M}, k::Tuple{Vararg{Integer}}; keep::Bool=false,
                 kw...) where {T,M}
    desc = PoolDesc(T, size(x), k; kw...)
    xd = dense(x, "x")
    d = device(xd)
    y = allocate(d, T, pooled_size(desc, Val(M - 2)))
    bits = keep ? allocate(d, UInt8, (query(desc, XCONV_POOL_INDEX_BYTES),)) : nothing
    GC.@preserve xd y bits run_companion(d, :maxpool_forward) do ctx
        xconv_maxpool_forward(ctx, Ref(desc), address(xd), address(y), address(bits),
            keep ? length(bits) : 0)
    end
    return y, keep ? PoolIndex(bits, desc) : nothing
end

function pooled_size(desc::PoolDesc, rank::Val)
    out = map(what -> Int64(query(desc, what)),
        (XCONV_POOL_OUT_SIZE_0, XCONV_POOL_OUT_SIZE_1, XCONV_POOL_OUT_SIZE_2))
    return (from_library(out, rank)..., Int(desc.channels), Int(desc.batch))
end

"""
    XConv.∇maxpool(index, dy)

Gradient of `maxpool`.
"""
function ∇maxpool(index::PoolIndex, dy::AbstractArray{T,M}) where {T,M}
    desc, bits = index.desc, index.bits
    dyd = dense(dy, "dy")
    d = device(dyd)
    check_place(dyd, device(bits), "dy")
    check_array(dyd, d, desc.dtype, pooled_size(desc, Val(M - 2)), "dy")
    dx = allocate(d, T, (from_library(desc.in_size, Val(M - 2))..., Int(desc.channels),
        Int(desc.batch)))
    GC.@preserve bits dyd dx run_companion(d, :maxpool_backward) do ctx
        xconv_maxpool_backward(ctx, Ref(desc), address(bits), length(bits), address(dyd),
            address(dx))
    end
    return dx
end

# Number i (from 0) of an index has the bits [i * bits, (i + 1) * bits), lowest first.
function read_bits(bytes::Vector{UInt8}, i::Integer, bits::Integer)
    value = 0
    for b in 0:bits-1
        at = i * bits + b
        value |= Int((bytes[at>>3+1] >> (at & 7)) & 1) << b
    end
    return value
end

function write_bits!(bytes::Vector{UInt8}, i::Integer, bits::Integer, value::Integer)
    for b in 0:bits-1
        at = i * bits + b
        mask = UInt8(1) << (at & 7)
        old = bytes[at>>3+1]
        bytes[at>>3+1] = (value >> b) & 1 == 1 ? old | mask : old & ~mask
    end
    return bytes
end
