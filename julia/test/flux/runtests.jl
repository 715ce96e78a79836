# Everything that needs Flux. Versions are printed: rules of Flux and NNlib change.
using Flux
using Functors: Functors
using ChainRulesCore
using ChainRulesTestUtils: test_rrule, ⊢, ChainRulesTestUtils
using NNlib: NNlib
using Optimisers: Optimisers
using Zygote: Zygote

for package in (Flux, NNlib, Zygote, ChainRulesCore)
    println(nameof(package), " ", pkgversion(package))
end
println("Julia ", VERSION)

include("models.jl")
for part in ("rules", "layers", "conversion", "tangents", "recognise", "training", "override", "retained", "devices",
             "advise")
    @testset "$part" begin
        include("$part.jl")
    end
end
