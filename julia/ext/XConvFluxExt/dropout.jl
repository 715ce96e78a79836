# Dropout that keeps what the mask was drawn from instead of the mask: on the CPU the
# state of the generator, elsewhere a seed.

dropped(x, rng, p, dims, active) = active === true ? NNlib.dropout(rng, x, p; dims=dims) : x

# `active` nothing means "inside a gradient", which is where a rule runs.
function ChainRulesCore.rrule(cfg::RuleConfig{>:HasReverseMode}, ::typeof(dropped),
                              x::AbstractArray, rng, p, dims, active)
    active === false && return x, Δ -> (NoTangent(), Δ, ntuple(_ -> NoTangent(), 4)...)
    now, again = mask_source(rng, XConv.device(x))
    y = apply_mask(now, x, p, dims)
    function dropped_pullback(Δ)
        dx = with_array(dy -> apply_mask(again(), dy, p, dims), Δ)
        return NoTangent(), dx, ntuple(_ -> NoTangent(), 4)...
    end
    return y, dropped_pullback
end

"""What to draw the mask from, and a function that gives the same once more."""
function mask_source(rng, ::XConv.CPU)
    before = copy(rng)
    return rng, () -> copy(before)
end
function mask_source(rng, ::XConv.Device)
    seed = rand(Random.default_rng(), UInt64)
    return seed, () -> seed
end

"""`x` with elements dropped as `NNlib.dropout` does, from the same random numbers.
The drawn array becomes the result."""
function apply_mask(rng::AbstractRNG, x::AbstractArray{T}, p, dims) where {T}
    scale = convert(T, 1 / (1 - p))
    keep = rand!(rng, Array{T}(undef, mask_size(size(x), dims)))
    dims isa Colon && return keep .= (keep .> T(p)) .* scale .* x
    return (keep .> T(p)) .* scale .* x
end
function apply_mask(seed::UInt64, x::AbstractArray{T}, p, dims) where {T}
    scale = convert(T, 1 / (1 - p))
    places = LinearIndices(mask_size(size(x), dims))
    return (uniform.(Float32, seed, places) .> Float32(p)) .* scale .* x
end

mask_size(xsize, ::Colon) = xsize
mask_size(xsize, dims) = ntuple(d -> d in dims ? xsize[d] : 1, length(xsize))
