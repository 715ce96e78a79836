# What each kind of layer does inside LowMemory. Whatever the library or the rules
# here do not cover (other element types, other devices, test mode with running
# statistics) goes to the layer itself.

(m::LowMemory)(xs...) = lean(XConv.inner(m), m, xs...)

lean(layer, m, xs...) = layer(xs...)

"""The scheme to use now: exact when the layer was put in test mode."""
scheme_now(m::LowMemory) = m.mode.active === false ? Exact() : m.scheme
ChainRulesCore.@non_differentiable scheme_now(::Any)

computes(xs...) = all(XConv.supports, xs) && allequal(map(eltype, xs)) &&
    allequal(map(XConv.device, xs))
ChainRulesCore.@non_differentiable computes(::Any...)

# --------------------------------------------------------------- convolutions

const Convolutions = Union{Conv,CrossCor}

function lean(l::Convolutions, m, x::AbstractArray)
    xT = Flux._match_eltype(l, x)
    computes(xT, l.weight) && ndims(x) == ndims(l.weight) || return l(x)
    y = XConv.convolve(xT, l.weight, bias_or_nothing(l.bias), scheme_now(m), nothing, options(l))
    return activate!(l.σ, y)
end

bias_or_nothing(b::Bool) = nothing
bias_or_nothing(b) = b

options(l::Conv) = options(l, l.groups, false)
options(l::CrossCor) = options(l, 1, true)
options(l, groups, flipped) = ConvOptions(Val(length(l.stride)); stride=l.stride, pad=l.pad,
    dilation=l.dilation, groups=groups, flipped=flipped)
ChainRulesCore.@non_differentiable options(::Any)

function lean(l::Dense, m, x::AbstractVecOrMat)
    xT = Flux._match_eltype(l, x)
    computes(l.weight) && computes(xT) && ndims(x) == 2 && size(x, 1) == size(l.weight, 2) ||
        return l(x)
    return activate!(l.σ, add_bias!(l.weight * xT, l.bias))
end

# -------------------------------------------------------------------- pooling

const MaxPools = Union{MaxPool,AdaptiveMaxPool,GlobalMaxPool}
const MeanPools = Union{MeanPool,AdaptiveMeanPool,GlobalMeanPool}

function lean(l::MaxPools, m, x::AbstractArray)
    computes(x) && fits(l, x) && !isempty(x) || return l(x)
    k, pad, stride = window(l, x)
    return max_pool(x, k, pad, stride)
end
function lean(l::MeanPools, m, x::AbstractArray)
    computes(x) && fits(l, x) || return l(x)
    k, pad, stride = window(l, x)
    return mean_pool(x, k, pad, stride)
end

window(l, x) = pool_window(l, size(x))
ChainRulesCore.@non_differentiable window(::Any, ::Any)

# ------------------------------------------------------ dropout, normalisation

function lean(l::Dropout, m, x::AbstractArray)
    computes(x) && may_copy(l.rng) || return l(x)
    return dropped(x, l.rng, l.p, l.dims, l.active)
end
may_copy(rng) = applicable(copy, rng)
ChainRulesCore.@non_differentiable may_copy(::Any)

const Normalisations = Union{BatchNorm,InstanceNorm,GroupNorm,LayerNorm}

XConv.what_is_kept(::Normalisations, scheme::Scheme) = "$(8sizeof(packed_type(scheme))) bits"

function lean(l::Union{BatchNorm,InstanceNorm,GroupNorm}, m, x::AbstractArray)
    uses_own_statistics(l, x) && computes(x) && has_channels(l, x) || return l(x)
    return activate!(l.λ, normalised(l, scheme_now(m), x, l.γ, l.β))
end

function lean(l::LayerNorm, m, x::AbstractArray)
    NNlib.within_gradient(x) && computes(x) && takes(l, x) || return l(x)
    d = l.diag
    d isa Flux.Scale && return activate!(d.σ, normalised(l, scheme_now(m), x, d.scale, d.bias))
    return activate!(l.λ, normalised(l, scheme_now(m), x, nothing, nothing))
end

"""Whether the statistics are those of `x`, in a gradient: else nothing is kept, or
the running statistics count, and the layer does well itself."""
uses_own_statistics(l, x) = NNlib.within_gradient(x) && l.active !== false
uses_own_statistics(l::GroupNorm, x) = NNlib.within_gradient(x)

has_channels(l, x) = ndims(x) >= 2 && size(x, ndims(x) - 1) == l.chs
takes(l::LayerNorm, x) = ndims(x) > length(l.size) && size(x)[1:length(l.size)] == l.size
ChainRulesCore.@non_differentiable has_channels(::Any, ::Any)
ChainRulesCore.@non_differentiable takes(::Any, ::Any)

# ------------------------------------------------------ functions and branches

function lean(r::Recognised, m, xs...)
    applies(r.operation, xs...) || return r.f(xs...)
    return apply(r.operation, xs...)
end

applies(::Operation, xs...) = all(x -> x isa AbstractArray, xs) && computes(xs...)
applies(::SumActivation, xs...) =
    all(x -> x isa AbstractArray, xs) && computes(xs...) && allequal(map(size, xs))
ChainRulesCore.@non_differentiable applies(::Any...)

apply(::Flatten, x) = flattened(x)
apply(c::Concatenate, xs...) = concatenated(c.dims, xs...)
apply(s::SumActivation, x) = activate!(s.σ, fresh(x))
apply(s::SumActivation, xs...) = activate!(s.σ, summed(xs...))

# Parallel's own call closes over x, and Zygote keeps closures.
lean(l::Parallel, m, x) = l.connection(each_branch(Tuple(l.layers), x)...)
lean(l::Parallel, m, x::Tuple) = l(x)
each_branch(::Tuple{}, x) = ()
each_branch(layers::Tuple, x) = (layers[1](x), each_branch(Base.tail(layers), x)...)
