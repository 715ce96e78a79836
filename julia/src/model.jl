# Models. The methods are in the Flux extension; the wrapper lives here, so that a
# saved model can be read wherever XConv is.

"""Whether a layer is training: nothing means "inside a gradient", as in Flux."""
mutable struct Mode
    active::Union{Nothing,Bool}
end

"""
    XConv.LowMemory(layer, scheme)

A Flux layer that computes what `layer` computes, and keeps less for the backward
pass. It *has* the layer: the parameters, the running statistics and the settings
are the layer's own, and to Functors and Optimisers it looks the same, so optimiser
state and saved states carry over. Made by [`xconv`](@ref), undone by [`exact`](@ref).
"""
struct LowMemory{L,S<:Scheme}
    layer::L
    scheme::S
    mode::Mode
end
LowMemory(layer, scheme::Scheme) = LowMemory(layer, scheme, Mode(nothing))

"""The wrapped layer. Every reader comes through here, so that a gradient finds one rule."""
inner(m::LowMemory) = getfield(m, :layer)

# m.weight is the layer's weight.
function Base.getproperty(m::LowMemory, name::Symbol)
    name === :layer && return inner(m)
    name in (:scheme, :mode) && return getfield(m, name)
    return getproperty(inner(m), name)
end
function Base.setproperty!(m::LowMemory, name::Symbol, value)
    name in (:layer, :scheme, :mode) && throw(ArgumentError(
        "the $name of a converted layer cannot be set; xconv and exact make another one"))
    setproperty!(inner(m), name, value)
    name === :active && (m.mode.active = value)
    return value
end
Base.propertynames(m::LowMemory) = (:layer, :scheme, :mode, propertynames(inner(m))...)

Base.show(io::IO, m::LowMemory) = israndom(m.scheme) ?
    print(io, "xconv(", m.layer, ", ", what_is_kept(m.layer, m.scheme), ")") :
    print(io, "xconv(", m.layer, ")")

"""What a layer keeps with a scheme, to be printed."""
what_is_kept(layer, scheme) = scheme

"""
    xconv(model, scheme; skip_first=true, select=layer -> true)

The model with every layer that can keep less for the backward pass replaced by one
that does: convolutions keep what `scheme` says of their input, activations a bit,
max pooling the winner's place, and so on. `Quantize(2)` is the scheme to start with, and
`Probe(32; projection=:independent, mean=true, bits=2)` where that keeps too much.
Parameters are shared, not copied; the optimiser's state goes on.

The first convolution stays exact unless `skip_first=false`, since its input is the
data, which is in memory anyway. First is the one that a walk through the model meets
first: containers in order, structs field by field. Layers for which `select(layer)` is
false are left alone; if the first convolution is one of them, the second is not exact in
its place. Applied to a converted model, it changes the scheme. It warns when no
convolution comes to keep `scheme`.

    xconv(model, schemes; select, others=Quantize(8))

With a vector of schemes, one for every convolution in the order in which they are met.
Normalisations keep what `others` says; it is `Exact()` by itself when all schemes are.

    xconv(model, advice; select)

With the schemes that [`XConv.advise`](@ref) chose for the model; normalisations keep 8
bits.

Needs Flux to be loaded.
"""
function xconv(args...; kw...)
    throw(ArgumentError("xconv takes a Flux model and a scheme, as in xconv(model, Quantize(2)); " *
                        what_is_wrong(args...)))
end

"""Whether the methods for Flux are there."""
flux_is_loaded() =
    isdefined(Base, :get_extension) && Base.get_extension(@__MODULE__, :XConvFluxExt) !== nothing
load_flux() = "load Flux first, with `using Flux`"

function what_is_wrong(args...)
    flux_is_loaded() || return load_flux()
    return "it got $(length(args)) arguments"
end
function what_is_wrong(model, scheme)
    model isa Scheme && return "the model comes first, before the $(typeof(model))"
    scheme isa Type{<:Scheme} && return "a scheme has arguments: $scheme is a type"
    flux_is_loaded() || return load_flux()
    return "the second argument is a $(typeof(scheme))"
end

"""
    exact(model)

The model as it was before [`xconv`](@ref); parameters are shared.
"""
function exact(args...)
    throw(ArgumentError("exact takes a Flux model; " *
        (flux_is_loaded() ? "it got $(length(args)) arguments" : load_flux())))
end

"""
    memory_report([io], model, x; scheme=Quantize(2))

Print, layer by layer, the bytes kept for the backward pass before and after
conversion, and return them as a vector of named tuples. They are measured: the
pullbacks are made and walked. A layer's name starts with its path, `model[3][1]`, as it
is indexed. Needs Flux to be loaded.
"""
function memory_report(args...; kw...)
    throw(ArgumentError("memory_report takes a Flux model and an input, after an IO or not; " *
        (flux_is_loaded() ? "it got $(join(map(typeof, args), ", "))" : load_flux())))
end
