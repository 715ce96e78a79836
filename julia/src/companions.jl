# ReLU and max pooling that keep bits instead of arrays: a convolution that lets go
# of its input saves nothing while its neighbour holds the same array.

"""Which elements of an array were positive, one bit each, of `relu!`."""
struct ReluMask
    bits::Vector{UInt8}
    negative_slope::Float64
end

"""
    XConv.relu!(y; negative_slope=0, ceiling=Inf, keep=false) -> ReluMask or nothing

Apply ReLU, leaky ReLU (`negative_slope`) or clipped ReLU (`ceiling`) in place.
With `keep`, return the mask that [`XConv.∇relu`](@ref) needs.
"""
function relu!(y::Array{T}; negative_slope::Real=0, ceiling::Real=Inf, keep::Bool=false) where {T}
    bits = keep ? Vector{UInt8}(undef, relu_mask_bytes(length(y))) : nothing
    isempty(y) && return keep ? ReluMask(bits, negative_slope) : nothing
    ctx = context()
    traced(:relu_forward, 0) do
        GC.@preserve ctx y bits check(xconv_relu_forward(ctx.handle, dtype(T), length(y),
            negative_slope, ceiling, address(y), address(y), address(bits),
            keep ? length(bits) : 0))
    end
    return keep ? ReluMask(bits, negative_slope) : nothing
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
function ∇relu(mask::ReluMask, dy::AbstractArray{T,M}) where {T,M}
    dyd, bits = dense(dy, "dy"), mask.bits
    length(bits) == relu_mask_bytes(length(dyd)) || throw(DimensionMismatch(
        "dy has $(length(dyd)) elements, but the mask is $(length(bits)) bytes long"))
    dx = Array{T,M}(undef, size(dyd))
    isempty(dx) && return dx
    ctx = context()
    traced(:relu_backward, 0) do
        GC.@preserve ctx dyd bits dx check(xconv_relu_backward(ctx.handle, dtype(T), length(dx),
            mask.negative_slope, address(bits), length(bits), address(dyd), address(dx)))
    end
    return dx
end

# ------------------------------------------------------------------- max pool

"""Where each window's maximum was, in a few bits per output, of `maxpool`."""
struct PoolIndex
    bits::Vector{UInt8}
    desc::PoolDesc
end

function PoolDesc(T::Type, xsize::NTuple{M,Int}, k::NTuple{N,Integer}; pad=0, stride=k) where {M,N}
    M == N + 2 && 1 <= N <= 3 || throw(DimensionMismatch(
        "a window over $N axes needs x of rank $(N + 2) (3, 4 or 5), got size $xsize"))
    pad_begin, pad_end = split_pad(Val(N), pad)
    return PoolDesc(sizeof(PoolDesc), N, dtype(T), xsize[M], xsize[M-1],
        to_library(ntuple(i -> xsize[i], Val(N))), to_library(k),
        to_library(per_axis(Val(N), stride, "stride")), to_library(pad_begin),
        to_library(pad_end))
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
    out = (query(desc, XCONV_POOL_OUT_SIZE_0), query(desc, XCONV_POOL_OUT_SIZE_1),
        query(desc, XCONV_POOL_OUT_SIZE_2))
    y = Array{T,M}(undef, from_library(map(Int64, out), Val(M - 2))..., size(x, M - 1), size(x, M))
    bits = keep ? Vector{UInt8}(undef, query(desc, XCONV_POOL_INDEX_BYTES)) : nothing
    ctx = context()
    traced(:maxpool_forward, 0) do
        GC.@preserve ctx xd y bits check(xconv_maxpool_forward(ctx.handle, Ref(desc), address(xd),
            address(y), address(bits), keep ? length(bits) : 0))
    end
    return y, keep ? PoolIndex(bits, desc) : nothing
end

"""
    XConv.∇maxpool(index, dy)

Gradient of `maxpool`.
"""
function ∇maxpool(index::PoolIndex, dy::AbstractArray{T,M}) where {T,M}
    d, bits = index.desc, index.bits
    out = map(Int64, (query(d, XCONV_POOL_OUT_SIZE_0), query(d, XCONV_POOL_OUT_SIZE_1),
        query(d, XCONV_POOL_OUT_SIZE_2)))
    dyd = dense(dy, "dy")
    wanted = (from_library(out, Val(M - 2))..., Int(d.channels), Int(d.batch))
    check_array(dyd, d.dtype, wanted, "dy")
    dx = Array{T,M}(undef, from_library(d.in_size, Val(M - 2))..., d.channels, d.batch)
    ctx = context()
    traced(:maxpool_backward, 0) do
        GC.@preserve ctx bits dyd dx check(xconv_maxpool_backward(ctx.handle, Ref(d),
            address(bits), length(bits), address(dyd), address(dx)))
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
