# Reverse rules of the array API, for every AD that reads ChainRulesCore.
module XConvChainRulesCoreExt

using ChainRulesCore
using XConv: XConv, ConvOptions, Exact, Plan, Scheme, Sketch

# A keyword cannot have a gradient, so a bias given as one would be forgotten.
function ChainRulesCore.rrule(::typeof(XConv.conv), x::AbstractArray, w::AbstractArray;
                              bias=nothing, kw...)
    refuse_bias(bias)
    y, conv_full_pullback = ChainRulesCore.rrule(XConv.conv, x, w, nothing; kw...)
    conv_pullback(Δ) = conv_full_pullback(Δ)[1:3]
    return y, conv_pullback
end

function ChainRulesCore.rrule(::typeof(XConv.conv), x::AbstractArray, w::AbstractArray, b;
                              bias=nothing, scheme::Scheme=Exact(), rng=nothing, kw...)
    refuse_bias(bias)
    y, convolve_pullback = ChainRulesCore.rrule(XConv.convolve, x, w, b, scheme, rng,
        XConv.options(w; kw...))
    conv_pullback(Δ) = convolve_pullback(Δ)[1:4]
    return y, conv_pullback
end

refuse_bias(::Nothing) = nothing
refuse_bias(_) = throw(ArgumentError(
    "inside a gradient give the bias of XConv.conv as the third argument, not as keyword"))

function ChainRulesCore.rrule(::typeof(XConv.convolve), x::AbstractArray, w::AbstractArray, b,
                              scheme::Scheme, rng, o::ConvOptions)
    y, kept = forward_keeping(x, w, b, scheme, rng, o)
    return y, pullback_of(kept, w, plan_of(kept), ProjectTo(x), ProjectTo(w), bias_shape(b))
end

"""y, and what the backward pass will need of x."""
function forward_keeping(x, w, b, ::Exact, rng, o)
    y, _ = XConv.forward(x, w, b, Exact(), nothing, o)
    return y, (x, XConv.plan_of(x, w, Exact(), o))
end
forward_keeping(x, w, b, scheme::Scheme, rng, o) =
    XConv.forward(x, w, b, scheme, XConv.draw_seed(scheme, rng), o)

plan_of(kept::Sketch) = kept.plan
plan_of(kept::Tuple) = kept[2]

filter_gradient(kept::Sketch, dy) = XConv.∇conv_filter(kept, dy)
filter_gradient((x, plan)::Tuple, dy) = XConv.∇conv_filter_exact(x, dy, plan)

bias_shape(b::AbstractArray) = size(b)
bias_shape(_) = nothing

# A function of its own, so that the closure cannot get hold of x or y.
function pullback_of(kept, w, plan::Plan, project_x, project_w, bias_size)
    function convolve_pullback(Δ)
        dy = cotangent(unthunk(Δ), eltype(w))
        dy isa AbstractZero && return map(_ -> dy, (1:7...,))
        dx = @thunk(project_x(XConv.∇conv_data(dy, w, plan)))
        dw = @thunk(project_w(filter_gradient(kept, dy)))
        db = bias_size === nothing ? NoTangent() :
             @thunk(reshape(XConv.∇conv_bias(dy, plan), bias_size))
        return NoTangent(), dx, dw, db, NoTangent(), NoTangent(), NoTangent()
    end
    return convolve_pullback
end

# Made dense here, once for all the thunks that will read it.
cotangent(dy::AbstractArray{T}, ::Type{T}) where {T} = XConv.dense(dy, "dy")
cotangent(dy::AbstractArray, ::Type{T}) where {T} =
    XConv.dense(convert(AbstractArray{T}, dy), "dy")
cotangent(dy, ::Type) = dy

end
