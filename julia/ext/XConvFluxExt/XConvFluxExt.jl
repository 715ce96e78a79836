# Flux layers that keep little for the backward pass, and the conversion of models.
#
# Every primitive here is a function with a ChainRules rule whose pullback holds the
# least that the gradient needs. Called outside a gradient they keep nothing.
module XConvFluxExt

using ChainRulesCore
using ChainRulesCore: @ignore_derivatives
using Flux
using Functors: Functors
using NNlib: NNlib
using Optimisers: Optimisers
using Random: Random, AbstractRNG, rand!
using XConv: XConv, ConvOptions, Exact, LowMemory, Mode, Probe, Quantize, Scheme
using Zygote: Zygote

include("activations.jl")
include("shapes.jl")
include("pooling.jl")
include("dropout.jl")
include("normalisation.jl")
include("recognise.jl")
include("layers.jl")
include("tangents.jl")
include("convert.jl")
include("report.jl")
include("advise.jl")

end
