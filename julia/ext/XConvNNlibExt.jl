# NNlib.conv with a sketched filter gradient, where the user asked for it.
#
# NNlib has a rule for conv already, and replacing a method breaks precompilation.
# This one is more specific instead, in its first argument, and hands over to
# NNlib's rule unless an override is active.
module XConvNNlibExt

using ChainRulesCore
using NNlib: NNlib, DenseConvDims
using XConv: XConv, ConvOptions

function ChainRulesCore.rrule(::RuleConfig, ::typeof(NNlib.conv), x, w, cdims; kw...)
    scheme = XConv.override_scheme()
    if scheme === nothing || !isempty(kw) || !handles(x, w, cdims)
        return ChainRulesCore.rrule(NNlib.conv, x, w, cdims; kw...)
    end
    return sketched(x, w, cdims, scheme)
end

handles(x, w, cdims) = false
handles(x::AbstractArray{T,N}, w::AbstractArray{T,N}, ::DenseConvDims) where {T,N} =
    3 <= N <= 5 && XConv.supports(x) && XConv.supports(w) &&
    XConv.device(x) == XConv.device(w)

function sketched(x, w, cdims, scheme)
    y, convolve_pullback = ChainRulesCore.rrule(XConv.convolve, x, w, nothing, scheme, nothing,
        ConvOptions(cdims))
    function conv_pullback(Δ)
        _, dx, dw = convolve_pullback(Δ)
        return NoTangent(), dx, dw, NoTangent()
    end
    return y, conv_pullback
end

function XConv.ConvOptions(c::DenseConvDims)
    pad = NNlib.padding(c)
    N = length(pad) ÷ 2
    return ConvOptions(Val(N); stride=NNlib.stride(c), pad=pad, dilation=NNlib.dilation(c),
        groups=NNlib.groupcount(c), flipped=NNlib.flipkernel(c))
end

end
