# Where the bytes of the backward pass are, layer by layer, measured.

"""Notes the input of every call, on the way to the layer."""
struct Recorder{L}
    path::String
    layer::L
    calls::Vector{Any}
end
Functors.@leaf Recorder
function (r::Recorder)(xs...)
    push!(r.calls, (path=r.path, layer=r.layer, inputs=xs))
    return r.layer(xs...)
end

"""The model with a recorder around every layer."""
recording(model, calls) = map_layers((path, layer) -> Recorder(path, layer, calls), model, "model")

"""The model with `f(path, layer)` for every layer."""
function map_layers(f, node, path)
    islayer(node) && return f(path, node)
    inner = node isa LowMemory ? node.layer : node
    children, rebuild = Functors.functor(inner)
    new = map_layers_in(f, children, path)
    try
        return rebuild(new)
    catch err
        err isa InterruptException && rethrow()
        return f(path, node)    # whose fields take only what they hold is one layer
    end
end

map_layers_in(f, children::NamedTuple, path) = NamedTuple{keys(children)}(
    map(k -> map_layers(f, children[k], join_path(path, k)), keys(children)))
map_layers_in(f, children::Tuple, path) =
    ntuple(i -> map_layers(f, children[i], join_path(path, i)), length(children))
map_layers_in(f, children::AbstractVector, path) =
    Any[map_layers(f, c, join_path(path, i)) for (i, c) in enumerate(children)]
map_layers_in(f, children, path) = children

# Chain(layers=(a, b)) is written Chain[1], Chain[2], as it is indexed.
join_path(path, k::Symbol) = k === :layers ? path : "$path.$k"
join_path(path, k::Int) = "$path[$k]"

"""A layer is what can be called and has no layers inside; functions count."""
islayer(node::LowMemory) = !(node.layer isa Parallel)
islayer(node::Union{Function,Base.Fix1,Base.Fix2}) = true
islayer(node) = !isdata(node) && !isempty(methods(node)) &&
    !any(haslayers, values(Functors.children(node)))

haslayers(node::Function) = false       # an activation, say
haslayers(node::AbstractArray{<:Number}) = false
haslayers(node::Union{Tuple,NamedTuple,AbstractArray}) = any(haslayers, node)
haslayers(node) =
    !isdata(node) && (islayer(node) || any(haslayers, values(Functors.children(node))))

isdata(node) = node isa Union{Tuple,NamedTuple,AbstractArray,AbstractDict,Number,Nothing,Symbol,
    AbstractString}

"""Bytes that the pullback of one call keeps, parameters not counted."""
function kept_by(layer, inputs)
    _, pullback = Zygote.pullback((l, xs...) -> l(xs...), layer, inputs...)
    return XConv.kept_bytes(pullback; except=layer)
end

XConv.memory_report(model, x; kw...) = XConv.memory_report(stdout, model, x; kw...)

function XConv.memory_report(io::IO, model, x; scheme::Scheme=Quantize(2),
                             progress::Bool=stderr isa Base.TTY)
    # Passes move running statistics and the generator: those of the caller stay.
    state = copy(Random.default_rng())
    try
        copied = Flux.testmode!(deepcopy(model), :auto)
        after = isconverted(copied) ? copied : XConv.xconv(copied, scheme)
        rows = layer_rows(after, x, progress)
        before = XConv.exact(after)
        total = (layer="whole model", input=sizeof_arrays(x), before=kept_in_model(before, x),
            after=kept_in_model(after, x))
        print_report(io, rows, total)
        return push!(rows, total)
    finally
        copy!(Random.default_rng(), state)
    end
end

isconverted(model) = any(m -> m isa LowMemory, Flux.modules(model))

"""Bytes that the pullback of the model keeps; neither parameters nor data count."""
function kept_in_model(model, x)
    _, pullback = Zygote.pullback((m, x) -> m(x), model, x)
    return XConv.kept_bytes(pullback; except=(model, x))
end

function layer_rows(model, x, progress)
    calls = Any[]
    recording(model, calls)(x)
    rows = NamedTuple{(:layer, :input, :before, :after),Tuple{String,Int,Int,Int}}[]
    bar = XConv.ProgressBar(length(calls); on=progress)
    for call in calls
        before = kept_by(XConv.exact(call.layer), call.inputs)
        after = kept_by(call.layer, call.inputs)
        push!(rows, (layer="$(call.path) $(call.layer)", input=sizeof_arrays(call.inputs),
            before=before, after=after))
        XConv.step!(bar)
    end
    return rows
end

sizeof_arrays(xs) = XConv.kept_bytes(xs)

function print_report(io, rows, total)
    width = maximum(r -> length(r.layer), [rows; total])
    width = clamp(width, 11, max(60, maximum(r -> path_length(r.layer), [rows; total]) + 2))
    println(io, rpad("layer", width), lpad("input", 13), lpad("before", 13), lpad("after", 13),
        lpad("ratio", 8))
    for row in [rows; total]
        row === total && println(io, "-"^(width + 47))
        println(io, rpad(shorten(row.layer, width), width), lpad(Base.format_bytes(row.input), 13),
            lpad(Base.format_bytes(row.before), 13), lpad(Base.format_bytes(row.after), 13),
            lpad(ratio(row), 8))
    end
    println(io, "Layers are measured one by one, with the input that they hold on to; ",
        "in the whole model\narrays held by two layers count once, the data not at all.")
end

"""Without the middle of what follows the path: the layer's kind and its scheme stay."""
function shorten(text, width)
    length(text) <= width && return text
    tail = (width - path_length(text)) ÷ 2
    return first(text, width - tail - 1) * "…" * last(text, tail)
end
path_length(text) = length(first(split(text, ' ')))

ratio(row) = row.after == row.before ? "=" : row.after == 0 ? "all" :
             string(round(row.before / row.after; digits=1))
