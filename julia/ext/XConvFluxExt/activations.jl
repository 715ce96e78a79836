# Activations in place on a fresh array, keeping a bit per element where that is
# enough, else one array.

"""Negative slope and ceiling of the activations whose gradient one bit decides."""
one_bit(σ) = nothing
one_bit(::typeof(NNlib.relu)) = (0.0, Inf)
one_bit(::typeof(NNlib.leakyrelu)) = (0.01, Inf)
one_bit(::typeof(NNlib.relu6)) = (0.0, 6.0)

"""
    activate!(σ, y)

`σ.(y)`, in the memory of `y` where that is possible; `y` must not be used again.
"""
activate!(::typeof(identity), y::AbstractArray) = y
function activate!(σ::F, y::AbstractArray) where {F}
    XConv.is_contiguous(y) || return NNlib.fast_act(σ, y).(y)
    branches = one_bit(σ)
    branches === nothing && return map!(NNlib.fast_act(σ, y), y, y)
    XConv.relu!(y; negative_slope=branches[1], ceiling=branches[2])
    return y
end

# Stands for an argument that must not be looked at: no method accepts it, so
# inference says whether a derivative can do without.
struct Unknown <: Real end

@inline derivative(Ω, σ::F, x) where {F} =
    only(only(ChainRulesCore.derivatives_given_output(Ω, σ, x)))
derivative_needs_output_only(::Type{T}, ::Type{F}) where {T,F} =
    isconcretetype(Core.Compiler.return_type(derivative, Tuple{T,F,Unknown}))
derivative_is_known(::Type{T}, ::Type{F}) where {T,F} =
    isconcretetype(Core.Compiler.return_type(derivative, Tuple{T,F,T}))

function ChainRulesCore.rrule(::typeof(activate!), ::typeof(identity), y)
    identity_pullback(Δ) = (NoTangent(), NoTangent(), Δ)
    return y, identity_pullback
end

function ChainRulesCore.rrule(cfg::RuleConfig{>:HasReverseMode}, ::typeof(activate!), σ::F,
                              y::AbstractArray{T}) where {F,T}
    σ === identity && return ChainRulesCore.rrule(activate!, σ, y)
    fast = NNlib.fast_act(σ, y)
    if XConv.is_contiguous(y)
        branches = one_bit(σ)
        branches === nothing || return keep_mask(y, branches)
        derivative_needs_output_only(T, typeof(fast)) && return keep_output(fast, y)
        derivative_is_known(T, typeof(fast)) && return keep_input(fast, y)
    end
    Ω, broadcast_pullback = rrule_via_ad(cfg, broadcast, fast, y)
    slow_pullback(Δ) = (NoTangent(), NoTangent(), broadcast_pullback(Δ)[3])
    return Ω, slow_pullback
end

function keep_mask(y, (slope, ceiling))
    mask = XConv.relu!(y; negative_slope=slope, ceiling=ceiling, keep=true)
    return y, mask_pullback(mask)
end
function mask_pullback(mask)
    relu_pullback(Δ) = (NoTangent(), NoTangent(), with_array(dy -> XConv.∇relu(mask, dy), Δ))
    return relu_pullback
end

function keep_output(σ::F, y) where {F}
    Ω = map!(σ, y, y)
    output_pullback(Δ) = (NoTangent(), NoTangent(),
        with_array(dy -> derivative.(Ω, σ, Unknown()) .* dy, Δ))
    return Ω, output_pullback
end

function keep_input(σ::F, x) where {F}
    input_pullback(Δ) = (NoTangent(), NoTangent(),
        with_array(dy -> derivative.(σ.(x), σ, x) .* dy, Δ))
    return σ.(x), input_pullback
end

"""`f` of a cotangent that may be a thunk, or zero."""
with_array(f, Δ) = (dy = unthunk(Δ); dy isa AbstractZero ? dy : f(dy))

"""`y .+ b` in the memory of `y`, with `b` along the first axis."""
add_bias!(y, b::Bool) = y
add_bias!(y, b::AbstractVector) = (y .+= b)
function ChainRulesCore.rrule(::typeof(add_bias!), y, b)
    bias_pullback(Δ) = (NoTangent(), Δ, b isa Bool ? NoTangent() :
        with_array(dy -> vec(sum(dy; dims=2:ndims(dy))), Δ))
    return add_bias!(y, b), bias_pullback
end
