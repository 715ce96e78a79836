# A scheme for every convolution of a model. One forward and backward pass measures
# them all: the gradient of a layer's output is there exactly when its turn comes in the
# backward pass, so no more than one layer's tensors are held for it.

"""Exact for the gradient; on the way back it measures what other schemes would do."""
struct Measure <: Scheme
    on::Bool
    seconds::Float64
    draws::Int
    seed::Int
    calls::Vector{Any}       # of one layer: advice and |dw|² of each
    bar::XConv.ProgressBar
end

function ChainRulesCore.rrule(::typeof(XConv.convolve), x::AbstractArray, w::AbstractArray, b,
                              m::Measure, rng, o::ConvOptions)
    y, convolve_pullback = ChainRulesCore.rrule(XConv.convolve, x, w, b, Exact(), rng, o)
    function measured_pullback(Δ)
        dy = unthunk(Δ)
        tangents = convolve_pullback(dy)
        m.on && !(dy isa AbstractZero) && note!(m, x, dy, w, unthunk(tangents[3]), o)
        return tangents
    end
    return y, measured_pullback
end

function note!(m::Measure, x, dy, w, dw, o)
    advice = XConv.advise(x, dy, w, o; seconds=m.seconds, draws=m.draws, seed=m.seed)
    push!(m.calls, (advice, Float64(sum(abs2, dw))))
    XConv.step!(m.bar)
    return nothing
end

function XConv.advise(model, batch, loss; budget::Integer, seconds::Real=60, draws::Integer=4,
                      seed::Integer=0, skip_first::Bool=true, select=layer -> true,
                      progress::Bool=stderr isa Base.TTY)
    state = copy(Random.default_rng())
    try
        # A copy, since a pass moves running statistics.
        copied = Flux.testmode!(XConv.exact(deepcopy(model)), :auto)
        counted, selected = count_convolutions(XConv.exact(model), select, skip_first)
        n = counted.taken
        n > 0 || throw(ArgumentError("the model has no convolution that xconv converts"))
        first_measured = n - counted.given + 1
        bar = XConv.ProgressBar(counted.given; on=progress)
        measures = [Measure(i >= first_measured, seconds / n, draws, seed, Any[], bar) for i in 1:n]
        arguments = batch isa Tuple ? batch : (batch,)
        measured = XConv.xconv(copied, measures; select=again(selected))
        Zygote.gradient(m -> loss(m, arguments...), measured)
        return choose(names_of(measures, measured), map(m -> choices_of(m.calls), measures),
            copied, arguments, loss, selected, budget)
    finally
        copy!(Random.default_rng(), state)
    end
end

"""A walk through the model, and what `select` said on it. It may know the user's layers by
identity, so that the copy must not be asked about: the same walk there has the same answers."""
function count_convolutions(model, select, skip_first)
    answers = Bool[]
    ask(layer) = (push!(answers, select(layer)); answers[end])
    counted = Conversion(Iterators.repeated(Exact()), Exact(), ask, skip_first)
    converted(model, counted)
    return counted, answers
end
again(answers) = (left = Iterators.Stateful(answers); layer -> popfirst!(left))

is_convolution(m) = m isa LowMemory && m.layer isa Convolutions

"""Path and description of the layer of each measure, as in a memory report."""
function names_of(measures, model)
    names = IdDict{Any,String}(m.scheme => string(m.layer) for m in Flux.modules(model) if is_convolution(m))
    found = Set{Any}()
    map_layers(model, "model") do path, l
        if is_convolution(l) && !(l.scheme in found)
            push!(found, l.scheme)
            names[l.scheme] = "$path $(l.layer)"
        end
        return l
    end
    return map(m -> names[m], measures)
end

# ------------------------------------------------------------- choices of one layer

const Choice = NamedTuple{(:scheme, :bytes, :noise),Tuple{Scheme,Int,Float64}}
const KEPT_BY_OTHERS = Choice((Exact(), 0, 0.0))    # the data, or a layer without gradient

"""
Bytes and noise of every scheme for a layer. Where it was called more than once, bytes
add up, and so do the variances, on the scale of the whole gradient.
"""
function choices_of(calls)
    isempty(calls) && return [KEPT_BY_OTHERS]
    total = sum(last, calls)
    schemes = intersect(map(c -> map(r -> r.scheme, c[1]), calls)...)
    rows = [[c[1][findfirst(r -> r.scheme == s, c[1])] for c in calls] for s in schemes]
    weights = total > 0 ? map(c -> c[2] / total, calls) : zeros(length(calls))
    return pareto([Choice((s, sum(r -> r.kept_bytes, of), sum(weights .* map(r -> r.relative_variance, of))))
                   for (s, of) in zip(schemes, rows)])
end

"""Those that no other beats, the fewest bytes first."""
function pareto(choices)
    front = eltype(choices)[]
    for c in sort(choices; by=c -> (c.bytes, c.noise))
        (isempty(front) || c.noise < front[end].noise) && push!(front, c)
    end
    return front
end

# -------------------------------------------------------------- choices of all layers

"""What normalisations keep in an advised model, whatever the convolutions do: 8 bits."""
const OTHERS = Quantize(8)

"""What the rest of the network keeps whatever the convolutions keep, then the best use of
what the budget leaves."""
function choose(names, choices, model, arguments, loss, selected, budget)
    least = [first(c).scheme for c in choices]
    fixed = kept_in_loss(XConv.xconv(model, least; select=again(selected), others=OTHERS), arguments, loss) -
            sum(c -> first(c).bytes, choices)
    smallest = fixed + sum(c -> first(c).bytes, choices)
    smallest <= budget || throw(ArgumentError("budget = $budget bytes: the least this model can " *
        "keep for the backward pass is $smallest, of which convolutions take $(smallest - fixed)"))
    picked = knapsack(choices, budget - fixed)
    return XConv.ModelAdvice([(layer=name, scheme=c.scheme, kept_bytes=c.bytes, noise=c.noise)
                              for (name, c) in zip(names, picked)], fixed, Int(budget))
end

function kept_in_loss(model, arguments, loss)
    _, pullback = Zygote.pullback(m -> loss(m, arguments...), model)
    return XConv.kept_bytes(pullback; except=(model, arguments))
end

const MOST_SUMS = 4096

"""The first layers' choices so far: the sums, the last choice, and the state before it."""
struct Partial
    bytes::Int
    noise::Float64
    choice::Int
    before::Int
end

"""
One choice for each layer, with the least sum of noise among those whose bytes fit. Layer
by layer, the sums that no other sum beats in bytes and in noise are carried on, so this
is the optimum; only beyond $MOST_SUMS such sums are they thinned out, to the best of each
part of the budget.
"""
function knapsack(choices, budget)
    levels = Vector{Partial}[]
    sums = [Partial(0, 0.0, 0, 0)]
    for list in choices
        longer = [Partial(s.bytes + c.bytes, s.noise + c.noise, i, n)
                  for (n, s) in enumerate(sums) for (i, c) in enumerate(list)
                  if s.bytes + c.bytes <= budget]
        sums = thinned(pareto(longer), budget)
        push!(levels, sums)
    end
    picked = Vector{Choice}(undef, length(choices))
    n = length(sums)                      # the most bytes, the least noise
    for l in reverse(eachindex(choices))
        s = levels[l][n]
        picked[l] = choices[l][s.choice]
        n = s.before
    end
    return picked
end

"""The fewest bytes of all, and the least noise in each part of the budget."""
function thinned(sums, budget)
    length(sums) <= MOST_SUMS && return sums
    part(s) = fld(s.bytes, cld(budget, MOST_SUMS))
    return [sums[i] for i in eachindex(sums)
            if i in (1, length(sums)) || part(sums[i]) != part(sums[i+1])]
end

XConv.xconv(model, advice::XConv.ModelAdvice; kw...) =
    XConv.xconv(model, [r.scheme for r in advice]; others=OTHERS, kw...)
