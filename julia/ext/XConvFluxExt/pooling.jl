max_pool(x, k, pad, stride) = first(XConv.maxpool(x, k; pad=pad, stride=stride))

function ChainRulesCore.rrule(::typeof(max_pool), x, k, pad, stride)
    xd = XConv.dense(x, "x")
    y, index = XConv.maxpool(xd, k; pad=pad, stride=stride, keep=true)
    take_first_near_tie!(index, xd, y, k, stride, first(XConv.split_pad(Val(length(k)), pad)))
    return y, max_pool_pullback_of(index)
end

"""
NNlib sends the gradient of a maximum to the first element of the window that is
*approximately* the maximum, the library to the maximum. For a converted model to
have the gradient of the original, move the winner where the two differ. On other
devices than the CPU the library's choice stays.
"""
take_first_near_tie!(index, x, y, k, stride, pad) = index
function take_first_near_tie!(index::XConv.PoolIndex{Vector{UInt8}}, x::AbstractArray{T}, y, k::NTuple{N,Int}, stride,
                              pad) where {T,N}
    bits = XConv.query(index.desc, XConv.XCONV_POOL_INDEX_BITS)
    bits == 0 && return index
    taps = CartesianIndices(k)
    rtol = sqrt(eps(T))
    inside = CartesianIndices(x)
    for (number, at) in enumerate(CartesianIndices(y))
        winner = XConv.read_bits(index.bits, number - 1, bits)
        maximum_here = y[at]
        for tap in 0:winner-1
            source = window_place(at, taps[tap+1], stride, pad)
            source in inside || continue
            value = x[source]
            if maximum_here - value <= rtol * max(abs(value), abs(maximum_here))
                XConv.write_bits!(index.bits, number - 1, bits, tap)
                break
            end
        end
    end
    return index
end
"""Where tap `t` of the window of output `at` is in the input; it may be padding."""
@inline window_place(at::CartesianIndex{M}, t::CartesianIndex{N}, stride, pad) where {M,N} =
    CartesianIndex(ntuple(d -> d <= N ? (at[d] - 1) * stride[d] - pad[d] + t[d] : at[d], Val(M)))

function max_pool_pullback_of(index)
    max_pool_pullback(Δ) = (NoTangent(), with_array(dy -> XConv.∇maxpool(index, dy), Δ),
        NoTangent(), NoTangent(), NoTangent())
    return max_pool_pullback
end

mean_pool(x, k, pad, stride) = NNlib.meanpool(x, pool_dims(size(x), k, pad, stride))
pool_dims(xsize, k, pad, stride) = NNlib.PoolDims(xsize, k; padding=pad, stride=stride)

function ChainRulesCore.rrule(::typeof(mean_pool), x::AbstractArray{T}, k, pad, stride) where {T}
    xsize = size(x)
    function mean_pool_pullback(Δ)
        dx = with_array(dy -> ∇mean_pool(T, dy, xsize, k, pad, stride), Δ)
        return NoTangent(), dx, NoTangent(), NoTangent(), NoTangent()
    end
    return mean_pool(x, k, pad, stride), mean_pool_pullback
end

function ∇mean_pool(T, dy, xsize, k, pad, stride)
    dx = fill!(XConv.allocate(XConv.device(dy), T, xsize), 0)
    if k == xsize[1:end-2] && all(iszero, pad)   # the mean of everything
        return dx .= dy .* (one(T) / T(prod(k)))
    end
    # Of its third and fourth argument NNlib reads the sizes only.
    dense_dy = XConv.dense(convert(AbstractArray{T}, dy), "dy")
    return NNlib.∇meanpool!(dx, dense_dy, dense_dy, dx, pool_dims(xsize, k, pad, stride))
end

"""Window, padding and stride of each pooling layer for an input of this size."""
pool_window(l::Union{MaxPool,MeanPool}, xsize) = (l.k, l.pad, l.stride)
function pool_window(l::Union{AdaptiveMaxPool,AdaptiveMeanPool}, xsize)
    inner = xsize[1:end-2]
    stride = inner .÷ l.out
    return inner .- (l.out .- 1) .* stride, map(zero, inner), stride
end
pool_window(::Union{GlobalMaxPool,GlobalMeanPool}, xsize) =
    (k = xsize[1:end-2]; (k, map(zero, k), k))

"""Whether a window belongs to an input of this size; if not, Flux says what is wrong."""
fits(l::Union{MaxPool,MeanPool}, x) = ndims(x) == length(l.k) + 2
fits(l::Union{AdaptiveMaxPool,AdaptiveMeanPool}, x) = ndims(x) == length(l.out) + 2
fits(::Union{GlobalMaxPool,GlobalMeanPool}, x) = 3 <= ndims(x) <= 5
