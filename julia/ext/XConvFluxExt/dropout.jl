# Dropout that keeps the state of the generator, from which the backward pass draws
# the same mask again.

dropped(x, rng, p, dims, active) = active === true ? NNlib.dropout(rng, x, p; dims=dims) : x

# `active` nothing means "inside a gradient", which is where a rule runs.
function ChainRulesCore.rrule(cfg::RuleConfig{>:HasReverseMode}, ::typeof(dropped),
                              x::AbstractArray{T}, rng::AbstractRNG, p, dims, active) where {T}
    active === false && return x, Δ -> (NoTangent(), Δ, ntuple(_ -> NoTangent(), 4)...)
    before = copy(rng)
    y = apply_mask!(rng, x, p, dims)
    function dropped_pullback(Δ)
        dx = with_array(dy -> apply_mask!(copy(before), dy, p, dims), Δ)
        return NoTangent(), dx, ntuple(_ -> NoTangent(), 4)...
    end
    return y, dropped_pullback
end

"""`x` with elements dropped as `NNlib.dropout` does, from the same random numbers.
The drawn array becomes the result."""
function apply_mask!(rng, x::AbstractArray{T}, p, dims) where {T}
    pT = convert(T, p)
    scale = convert(T, 1 / (1 - p))
    keep = rand!(rng, Array{T}(undef, mask_size(size(x), dims)))
    dims isa Colon && return keep .= (keep .> pT) .* scale .* x
    return (keep .> pT) .* scale .* x
end

mask_size(xsize, ::Colon) = xsize
mask_size(xsize, dims) = ntuple(d -> d in dims ? xsize[d] : 1, length(xsize))
