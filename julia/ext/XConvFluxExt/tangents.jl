# The gradient of a wrapper is that of its layer, fields and all: whatever looks at a
# model through Functors (trainables, destructure, optimisers) builds gradients so, and
# Zygote must be able to add its own to those.

# Not a rule of ChainRules: through one, the Ref in which Zygote collects the gradient of
# a mutable layer would be copied, and a layer that is used twice would count twice. Nor
# an @adjoint, which computes gradients that nobody may ask for.
function Zygote._pullback(cx::Zygote.AContext, ::typeof(XConv.inner), m::LowMemory)
    inner_pullback(Δ) = (nothing, Δ)
    return XConv.inner(m), inner_pullback
end

# Where a wrapper is made inside a gradient.
function Zygote._pullback(cx::Zygote.AContext, ::Type{LowMemory}, layer, scheme::Scheme)
    made_pullback(Δ) = (nothing, Δ, nothing)
    return LowMemory(layer, scheme), made_pullback
end

# Zygote and ChainRules look for fields of the primal, and drop or refuse others.
Zygote.z2d(Δ::NamedTuple, m::LowMemory) = Zygote.z2d(Δ, XConv.inner(m))
Zygote.z2d(Δ::NamedTuple{L,S}, m::LowMemory) where {L,S<:Tuple{Vararg{Union{Number,Nothing}}}} =
    Zygote.z2d(Δ, XConv.inner(m))
ChainRulesCore.canonicalize(Δ::Tangent{<:LowMemory{L},<:NamedTuple}) where {L} =
    ChainRulesCore.canonicalize(Tangent{L}(; ChainRulesCore.backing(Δ)...))
