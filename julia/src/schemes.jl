# What a convolution keeps of its input. Schemes are plain values: the type does
# not depend on r or on the bits, so changing them compiles nothing anew.

"""What a convolution keeps of its input until the backward pass: [`Exact`](@ref),
[`Probe`](@ref) or [`Quantize`](@ref)."""
abstract type Scheme end

"""
    Exact()

Keep the input itself; every gradient is exact.
"""
struct Exact <: Scheme end

const PROJECTIONS = (dense=XCONV_DENSE, orthogonal=XCONV_ORTHOGONAL, independent=XCONV_INDEPENDENT)
const DISTRIBUTIONS = (rademacher=XCONV_RADEMACHER, gaussian=XCONV_GAUSSIAN,
    uniform=XCONV_UNIFORM)

"""
    Probe(r; projection=:dense, mean=false, bits=0, group=0, distribution=:rademacher)

Keep `r` random projections of every sample instead of the sample (`:dense`,
`:orthogonal`), or `r` of each of its channels (`:independent`). The filter
gradient becomes an unbiased estimate with variance proportional to `1/r`.

With `mean`, the mean of every channel of every sample is kept apart and contracted
exactly, and only the rest is probed; that pays after a ReLU. With `bits` (8, 4, 2 or
1) the projections are stored in so many bits each, rounded up or down at random such
that their mean stays; see [`Quantize`](@ref) for `group`.

`distribution` of the projections: `:rademacher` (least variance), `:gaussian` or
`:uniform`.
"""
struct Probe <: Scheme
    r::Int
    projection::Symbol
    distribution::Symbol
    mean::Bool
    bits::Int
    group::Int

    function Probe(r::Integer; projection::Symbol=:dense, distribution::Symbol=:rademacher,
                   mean::Bool=false, bits::Integer=0, group::Integer=0)
        r >= 1 || throw(ArgumentError("Probe needs r >= 1, got $r"))
        one_of(:projection, projection, keys(PROJECTIONS))
        one_of(:distribution, distribution, keys(DISTRIBUTIONS))
        one_of(:bits, bits, (0, 1, 2, 4, 8))
        check_group(group)
        bits > 0 || group == 0 || throw(ArgumentError(
            "group = $group needs bits: numbers kept as they are have no groups"))
        return new(r, projection, distribution, mean, bits, group)
    end
end

"""
    Quantize(bits; group=0)

Keep every number of the input in 8, 4, 2 or 1 bits, rounded up or down at random such
that its mean stays: the filter gradient is an unbiased estimate with little noise.

`group` neighbouring numbers of a sample share the smallest and the largest level, 16 bits
each (32 for Float64): a multiple of 8, or 0 for about 256. Smaller groups are finer and
take more.
"""
struct Quantize <: Scheme
    bits::Int
    group::Int

    function Quantize(bits::Integer; group::Integer=0)
        one_of(:bits, bits, (1, 2, 4, 8))
        check_group(group)
        return new(bits, group)
    end
end

function one_of(what, value, choices)
    value in choices && return nothing
    throw(ArgumentError("$what must be one of $(join(map(repr, choices), ", ")), " *
                        "got $(repr(value))"))
end

check_group(group) = group >= 0 && group % 8 == 0 ? nothing :
    throw(ArgumentError("group must be a multiple of 8, or 0 for about 256, got $group"))

# Keywords that keep their default are not printed; what is printed can be read back.
Base.show(io::IO, ::Exact) = print(io, "Exact()")
Base.show(io::IO, s::Probe) = show_call(io, "Probe", s.r, (projection=s.projection, mean=s.mean,
    bits=s.bits, group=s.group, distribution=s.distribution), (projection=:dense, mean=false,
    bits=0, group=0, distribution=:rademacher))
Base.show(io::IO, s::Quantize) = show_call(io, "Quantize", s.bits, (group=s.group,), (group=0,))

function show_call(io, name, argument, keywords, defaults)
    changed = ["$k=$(repr(v))" for (k, v) in pairs(keywords) if v != defaults[k]]
    print(io, name, "(", argument, isempty(changed) ? "" : "; ", join(changed, ", "), ")")
end

"""
    parse(XConv.Scheme, text)

The scheme that is printed as `text`, such as `"Probe(8; bits=2)"`; nothing is evaluated.
"""
function Base.parse(::Type{Scheme}, text::AbstractString)
    e = Meta.parse(text; raise=false)
    names = Dict(:Exact => Exact, :Probe => Probe, :Quantize => Quantize)
    e isa Expr && e.head === :call && haskey(names, e.args[1]) || throw(ArgumentError(
        "a scheme is Exact(), Probe(r; …) or Quantize(bits; …), got $(repr(text))"))
    isoptions(a) = a isa Expr && a.head in (:parameters, :kw)
    options = vcat((a.head === :kw ? [a] : a.args for a in e.args[2:end] if isoptions(a))...)
    keywords = [o.args[1] => literal(o.args[2]) for o in options]
    return names[e.args[1]](map(literal, filter(!isoptions, e.args[2:end]))...; keywords...)
end

literal(value::Union{Integer,Bool}) = value
literal(value::QuoteNode) = value.value
literal(value) = throw(ArgumentError("not a number, true, false or a :name: $value"))

SchemeDesc(::Exact) =
    SchemeDesc(sizeof(SchemeDesc), XCONV_IDENTITY, XCONV_RADEMACHER, 0, 0, 0, 0)
SchemeDesc(s::Quantize) =
    SchemeDesc(sizeof(SchemeDesc), XCONV_IDENTITY, XCONV_RADEMACHER, 0, 0, s.bits, s.group)
SchemeDesc(s::Probe) = SchemeDesc(sizeof(SchemeDesc), PROJECTIONS[s.projection],
    DISTRIBUTIONS[s.distribution], s.r, s.mean, s.bits, s.group)

"""The scheme that a descriptor of the library stands for."""
function Scheme(d::SchemeDesc)
    d.projection == XCONV_IDENTITY && return d.bits == 0 ? Exact() : Quantize(d.bits; group=d.group)
    return Probe(d.probes; projection=name_of(PROJECTIONS, d.projection),
        distribution=name_of(DISTRIBUTIONS, d.distribution), mean=d.deflate_mean != 0,
        bits=d.bits, group=d.group)
end
name_of(names, value) = first(k for (k, v) in pairs(names) if v == value)

"""Whether the scheme draws random numbers, and so needs a seed."""
israndom(::Exact) = false
israndom(::Scheme) = true

"""A seed for the scheme from `rng`, or from the task's generator. Exact() draws none."""
draw_seed(s::Scheme, rng::AbstractRNG) = israndom(s) ? rand(rng, UInt64) : UInt64(0)
draw_seed(s::Scheme, ::Nothing) = draw_seed(s, Random.default_rng())
