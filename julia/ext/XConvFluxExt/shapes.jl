# Sums, concatenations and reshapes: their gradients need sizes, no numbers.

flattened(x) = reshape(x, :, size(x, ndims(x)))

function ChainRulesCore.rrule(::typeof(flattened), x)
    dims = size(x)
    flattened_pullback(Δ) = (NoTangent(), with_array(dy -> reshape(dy, dims), Δ))
    return flattened(x), flattened_pullback
end

"""Sum of arrays of one size, in a fresh array."""
summed(xs...) = .+(xs...)

function ChainRulesCore.rrule(::typeof(summed), xs...)
    n = length(xs)
    summed_pullback(Δ) = (NoTangent(), ntuple(_ -> Δ, n)...)
    return summed(xs...), summed_pullback
end

concatenated(dims, xs...) = cat(xs...; dims=dims)

function ChainRulesCore.rrule(::typeof(concatenated), dims, xs...)
    widths = map(x -> map(d -> size(x, d), Tuple(dims)), xs)
    function concatenated_pullback(Δ)
        dy = unthunk(Δ)
        dy isa AbstractZero && return (NoTangent(), NoTangent(), map(_ -> dy, widths)...)
        return (NoTangent(), NoTangent(), split_back(dy, Tuple(dims), widths)...)
    end
    return concatenated(dims, xs...), concatenated_pullback
end

"""The block of `dy` that each concatenated array filled."""
function split_back(dy, dims, widths)
    offsets = ntuple(_ -> 0, length(dims))
    return map(widths) do width
        range(d) = (i = findfirst(==(d), dims);
                    i === nothing ? (1:size(dy, d)) : (offsets[i]+1:offsets[i]+width[i]))
        block = dy[ntuple(range, ndims(dy))...]
        offsets = offsets .+ width
        block
    end
end

"""A copy to be overwritten."""
fresh(x) = copyto!(XConv.allocate(XConv.device(x), eltype(x), size(x)), x)
function ChainRulesCore.rrule(::typeof(fresh), x)
    fresh_pullback(Δ) = (NoTangent(), Δ)
    return fresh(x), fresh_pullback
end
