# xconv(model, scheme) and exact(model): walks that replace layers and share the rest.

"""Whether LowMemory keeps less than this layer does."""
improves(_) = false
improves(::Union{Convolutions,Normalisations,MaxPools,MeanPools,Dropout}) = true
improves(l::Dense) = one_bit(l.σ) !== nothing

"""One walk: what to do with convolutions and with normalisations, which layers to take,
and what was done already, so that a layer that occurs twice stays one layer."""
mutable struct Conversion
    const convolutions::Iterators.Stateful
    const others::Scheme
    const select::Any
    const skip_first::Bool
    const done::IdDict{Any,Any}
    met::Int      # convolutions so far,
    taken::Int    # of those the selected,
    given::Int    # and of those the ones with a scheme of `convolutions`
end
Conversion(convolutions, others, select, skip_first) = Conversion(Iterators.Stateful(convolutions),
    others, select, skip_first, IdDict{Any,Any}(), 0, 0, 0)

function XConv.xconv(model, scheme::Scheme; skip_first::Bool=true, select=layer -> true)
    c = Conversion(Iterators.repeated(scheme), scheme, select, skip_first)
    new = converted(model, c)
    c.given > 0 || scheme isa Exact || warn_unused(c, scheme)
    return new
end

function warn_unused(c::Conversion, scheme)
    why = c.met == 0 ? "the model has none that xconv finds; it does not look into closures" :
          c.taken == 0 ? "`select` leaves them all alone" :
          "the first stays exact, since its input is the data, unless you say skip_first=false"
    @warn "No convolution keeps $scheme: $why."
end

function XConv.xconv(model, schemes::AbstractVector{<:Scheme}; select=layer -> true,
                     others::Scheme=all(s -> s isa Exact, schemes) ? Exact() : Quantize(8))
    c = Conversion(schemes, others, select, false)
    new = converted(model, c)
    left = length(c.convolutions)
    left == 0 || throw(ArgumentError("$(length(schemes)) schemes were given, but the model has " *
        "$(length(schemes) - left) convolutions to convert"))
    return new
end

function next_scheme!(c::Conversion)
    isempty(c.convolutions) && throw(ArgumentError(
        "there are more convolutions to convert in the model than schemes were given"))
    c.given += 1
    return popfirst!(c.convolutions)
end

function converted(node, c::Conversion)
    ismutable(node) || improves(node) || return convert_node(node, c)
    return get!(() -> convert_node(node, c), c.done, node)
end

function convert_node(node, c::Conversion)
    node isa LowMemory && return convert_again(node, node.layer, c)
    improves(node) && return wrap(node, c, Mode(nothing))
    return convert_inside(node, c)
end

# A converted layer: only the scheme of convolutions may have to change.
convert_again(node, layer, c) = wrap(layer, c, node.mode)
convert_again(node, ::Recognised, c) = node
convert_again(node, layer::Parallel, c) = convert_inside(layer, c)
convert_inside(node, c) =
    convert_children(node, child -> converted(child, c), (f, n) -> convert_function(f, n, c))

function wrap(layer, c::Conversion, mode)
    layer isa Convolutions && (c.met += 1)
    c.select(layer) || return layer
    return LowMemory(layer, scheme_for(layer, c), Mode(mode.active))
end

# The other layers keep what they keep without any choice.
scheme_for(layer, c) = Exact()
scheme_for(::Normalisations, c) = c.others
function scheme_for(::Convolutions, c)
    c.taken += 1
    return c.skip_first && c.met == 1 ? Exact() : next_scheme!(c)
end

"""A function of `n` arrays inside a container."""
function convert_function(f, n, c)
    f isa LowMemory && return f
    c.select(f) || return f
    recognised = recognise(f, n)
    return recognised === nothing ? converted(f, c) : LowMemory(recognised, Exact())
end

# Containers of Flux, where functions take the place of layers.
function convert_children(node::Chain, f, on_function)
    return rebuilt(node, map(l -> child(l, 1, f, on_function), node.layers))
end
function convert_children(node::SkipConnection, f, on_function)
    layers = child(node.layers, 1, f, on_function)
    connection = child(node.connection, 2, f, on_function)
    layers === node.layers && connection === node.connection && return node
    return SkipConnection(layers, connection)
end
function convert_children(node::Parallel, f, on_function)
    layers = map(l -> child(l, 1, f, on_function), node.layers)
    connection = child(node.connection, length(layers), f, on_function)
    return LowMemory(Parallel(connection, layers), Exact())
end

child(l, n, f, on_function) = f(l)
child(l::Union{Function,Base.Fix1,Base.Fix2}, n, f, on_function) = on_function(l, n)

rebuilt(node::Chain, layers) = same_parts(layers, node.layers) ? node : Chain(layers)
same_parts(a, b) = all(i -> a[i] === b[i], keys(a))

"""Anything else, by its children in the sense of Functors."""
function convert_children(node, f, on_function)
    children, rebuild = Functors.functor(node)
    isempty(children) && return node
    new = map_children(f, children)
    same_parts(new, children) && return node
    try
        return rebuild(new)
    catch err
        err isa InterruptException && rethrow()
        warn_refused(node, children, new, err)
        return node
    end
end

function warn_refused(node, children, new, err)
    name = nameof(typeof(node))
    changed = [string(k) for k in keys(children) if new[k] !== children[k]]
    # What else a constructor may say is the user's own.
    why = err isa MethodError ? "" : ": " * first(split(sprint(showerror, err), '\n'))
    @warn "$name is left as it is, since it does not accept converted layers in " *
        "$(join(changed, ", "))$why. Fields of a concrete type cannot hold them: make the types " *
        "parameters, as in `struct $name{A} $(changed[1])::A … end`."
end

map_children(f, children::Union{Tuple,NamedTuple}) = map(f, children)
map_children(f, children::AbstractArray) = map(f, children)
map_children(f, children::AbstractDict) = Dict(k => f(v) for (k, v) in children)

# ------------------------------------------------------------------- and back

XConv.exact(model) = unwrapped(model, IdDict{Any,Any}())

function unwrapped(node, done)
    ismutable(node) || return unwrap_node(node, done)
    return get!(() -> unwrap_node(node, done), done, node)
end

unwrap_node(node, done) =
    convert_children(node, x -> unwrapped(x, done), (f, n) -> unwrapped(f, done))
unwrap_node(m::LowMemory, done) = unwrap_layer(m.layer, done)
# convert_children would wrap a Parallel again.
unwrap_node(l::Parallel, done) =
    Parallel(unwrapped(l.connection, done), map(x -> unwrapped(x, done), l.layers))

unwrap_layer(l, done) = l
unwrap_layer(r::Recognised, done) = r.f
unwrap_layer(l::Parallel, done) = unwrap_node(l, done)

# --------------------------------------------- Functors, Optimisers, Flux's modes

# The wrapper looks like the layer: same children, same names. Walks over several
# trees at once also ask about gradients and states in its place, which have those too.
function Functors.functor(::Type{<:LowMemory{L}}, m::LowMemory) where {L}
    children, rebuild = Functors.functor(L, m.layer)
    return children, new -> LowMemory(rebuild(new), m.scheme, Mode(m.mode.active))
end
Functors.functor(::Type{<:LowMemory{L}}, other) where {L} = Functors.functor(L, other)

Optimisers.trainable(m::LowMemory) = Optimisers.trainable(m.layer)

function Flux.testmode!(m::LowMemory, mode=true)
    m.mode.active = mode isa Bool ? !mode : nothing
    Flux.testmode!(m.layer, mode)
    return m
end

Flux.@layer :noexpand LowMemory
# Nothing to adapt in these; @layer would ask for their children for ever.
Flux.Adapt.adapt_structure(to, m::LowMemory{<:Union{Recognised,GlobalMaxPool,GlobalMeanPool}}) = m
