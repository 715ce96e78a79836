# Normalisation layers that keep the normalised input, once, and one number per
# group: y = γ x̂ + β with x̂ = (x - mean) / sqrt(var + ε). Random schemes keep x̂ in
# 16 or 8 bits.

"""How a layer groups and scales its input."""
struct NormShape{N,M}
    internal::NTuple{N,Int}   # shape in which groups are whole axes
    reduce::NTuple{M,Int}     # axes of that shape inside a group
    parameters::NTuple{N,Int} # shape of γ and β there
    ε::Float64                # added to the variance
end

function norm_shape(l::BatchNorm, x::AbstractArray{T,N}) where {T,N}
    return NormShape(size(x), (ntuple(identity, N - 2)..., N), channel_shape(x), Float64(l.ϵ))
end
norm_shape(l::InstanceNorm, x::AbstractArray{T,N}) where {T,N} =
    NormShape(size(x), ntuple(identity, N - 2), channel_shape(x), Float64(l.ϵ))
function norm_shape(l::GroupNorm, x::AbstractArray{T,N}) where {T,N}
    per = size(x, N - 1) ÷ l.G
    internal = (size(x)[1:N-2]..., per, l.G, size(x, N))
    return NormShape(internal, ntuple(identity, N - 1),
        (ntuple(_ -> 1, N - 2)..., per, l.G, 1), Float64(l.ϵ))
end
function norm_shape(l::LayerNorm, x::AbstractArray{T,N}) where {T,N}
    k = length(l.size)
    return NormShape(size(x), ntuple(identity, k), (l.size..., ntuple(_ -> 1, N - k)...),
        layer_norm_ε(l))
end

# Flux before 0.16.11 squares the ε of LayerNorm, and only that.
layer_norm_ε(l) = pkgversion(Flux) < v"0.16.11" ? Float64(l.ϵ)^2 : Float64(l.ϵ)

channel_shape(x::AbstractArray{T,N}) where {T,N} = ntuple(d -> d == N - 1 ? size(x, d) : 1, N)

"""
    normalised(layer, scheme, x, γ, β)

The layer's output before its activation. Inside a gradient these are the statistics
of `x`; outside, `layer` itself is asked instead of this.
"""
function normalised(l, scheme, x, γ, β)
    y, _, _ = normalise_fresh(l, x, γ, β)
    return y
end

# Sums of Float16 are taken in Float32: they would overflow, or lose all digits.
wide(::Type{T}) where {T} = T
wide(::Type{Float16}) = Float32

function normalise_fresh(l, x::AbstractArray{T}, γ, β) where {T}
    W = wide(T)
    s = norm_shape(l, x)
    xi = reshape(x, s.internal)
    n = prod(map(d -> s.internal[d], s.reduce))
    mean = sum(W, xi; dims=s.reduce) ./ W(n)
    x̂ = xi .- mean
    var = sum(abs2, x̂; dims=s.reduce) ./ W(n)
    inv_std = @. inv(sqrt(var + W(s.ε)))
    x̂ .*= inv_std
    track_statistics!(l, mean, var, n)
    y = reshape(scale_and_shift(T, x̂, in_shape(γ, s), in_shape(β, s)), size(x))
    return y, x̂, inv_std
end

in_shape(::Nothing, s) = nothing
in_shape(γ, s) = reshape(γ, s.parameters)

# Always a new array: the activation will overwrite it.
scale_and_shift(::Type{T}, x̂, ::Nothing, ::Nothing) where {T} = T.(x̂)
scale_and_shift(::Type{T}, x̂, γ, β) where {T} = T.(γ .* x̂ .+ β)

function ChainRulesCore.rrule(::typeof(normalised), l, scheme, x::AbstractArray, γ, β)
    y, x̂, inv_std = normalise_fresh(l, x, γ, β)
    kept = pack(scheme, x̂, eltype(x))
    return y, normalised_pullback_of(kept, inv_std, γ, norm_shape(l, x), size(x))
end

function normalised_pullback_of(kept, inv_std, γ, s, xsize)
    function normalised_pullback(Δ)
        dy = unthunk(Δ)
        dy isa AbstractZero && return (NoTangent(), NoTangent(), NoTangent(), dy, dy, dy)
        dyi = reshape(dy, s.internal)
        x̂ = unpack(kept, wide(eltype(dyi)))
        dx = @thunk(reshape(∇normalise(dyi, x̂, inv_std, in_shape(γ, s), s), xsize))
        dγ, dβ = ∇scale_and_shift(dyi, x̂, γ, s)
        return NoTangent(), NoTangent(), NoTangent(), dx, dγ, dβ
    end
    return normalised_pullback
end

∇scale_and_shift(dy, x̂, ::Nothing, s) = (NoTangent(), NoTangent())
function ∇scale_and_shift(dy, x̂, γ, s)
    others = Tuple(d for d in eachindex(s.parameters) if s.parameters[d] == 1)
    T, W = eltype(dy), eltype(x̂)
    return @thunk(T.(reshape(sum(dy .* x̂; dims=others), size(γ)))),
        @thunk(T.(reshape(sum(W, dy; dims=others), size(γ))))
end

"""dx of one normalisation: the part of γ dy that changes neither mean nor variance."""
function ∇normalise(dy::AbstractArray{T}, x̂, inv_std, γ, s) where {T}
    W = eltype(x̂)
    n = W(prod(map(d -> s.internal[d], s.reduce)))
    g = γ === nothing ? dy : γ .* dy
    mean_g = sum(W, g; dims=s.reduce) ./ n
    mean_gx = sum(g .* x̂; dims=s.reduce) ./ n
    return @. T(inv_std * (g - mean_g - x̂ * mean_gx))
end

"""Update the running statistics as Flux does: the unbiased variance, averaged over
the samples where each has its own."""
track_statistics!(l, mean, var, n) = nothing
function track_statistics!(l::Union{BatchNorm,InstanceNorm}, mean, var, n)
    l.track_stats || return nothing
    T = eltype(l.σ²)
    m = T(l.momentum)
    batch = size(mean, ndims(mean))
    over_batch(a) = vec(sum(a; dims=ndims(a))) ./ T(batch)
    l.μ .= (1 - m) .* l.μ .+ m .* over_batch(mean)
    l.σ² .= (1 - m) .* l.σ² .+ m .* T(n / (n - 1)) .* over_batch(var)
    return nothing
end

# ---------------------------------------------------- the normalised copy, packed

"""Whole multiples of `step`, rounded up or down at random such that the mean is right."""
struct Packed{T,A<:AbstractArray}
    multiples::A
    step::T
end

"""Schemes of few bits keep x̂ in 8 bits, which are off by about a hundredth of its
unit deviation; the others in 16, off by 1e-4 of it."""
packed_type(::Scheme) = Int16
packed_type(::Quantize) = Int8
packed_type(s::Probe) = s.bits == 0 ? Int16 : Int8

pack(::Exact, x̂::AbstractArray{T}, ::Type{T}) where {T} = x̂
pack(::Exact, x̂::AbstractArray, ::Type{T}) where {T} = T.(x̂)
function pack(scheme::Scheme, x̂::AbstractArray{W}, T::Type) where {W}
    largest = maximum(abs, x̂; init=zero(W))
    # NaN and Inf have no place in a fixed-point format, and must not get lost.
    isfinite(largest) && largest > 0 || return pack(Exact(), x̂, T)
    return pack_as(packed_type(scheme), x̂, largest, XConv.draw_seed(scheme, nothing))
end

function pack_as(::Type{I}, x̂::AbstractArray, largest, seed) where {I}
    step = largest / (typemax(I) - 1)      # one multiple is left for rounding up
    multiples = XConv.allocate(XConv.device(x̂), I, size(x̂))
    multiples .= rounded.(I, x̂, step, seed, LinearIndices(x̂))
    return Packed{typeof(step),typeof(multiples)}(multiples, step)
end

@inline rounded(::Type{I}, value, step, seed, place) where {I} =
    unsafe_trunc(I, floor(value / step + uniform(typeof(step), seed, place)))

unpack(x̂::AbstractArray{W}, ::Type{W}) where {W} = x̂
unpack(x̂::AbstractArray, ::Type{W}) where {W} = W.(x̂)
unpack(p::Packed, ::Type{W}) where {W} = p.multiples .* W(p.step)

"""A number in [0, 1) that depends on seed and place only (SplitMix64)."""
@inline function uniform(::Type{T}, seed::UInt64, i::Integer) where {T}
    z = seed + (i % UInt64) * 0x9e3779b97f4a7c15
    z = (z ⊻ (z >> 30)) * 0xbf58476d1ce4e5b9
    z = (z ⊻ (z >> 27)) * 0x94d049bb133111eb
    return T((z ⊻ (z >> 31)) >> 40) * T(2)^-24
end
