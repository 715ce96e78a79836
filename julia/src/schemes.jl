# What a convolution keeps of its input. Schemes are plain values: the type does
# not depend on r, so changing r compiles nothing anew.

"""What a convolution keeps of its input until the backward pass: [`Exact`](@ref)
or [`Probe`](@ref)."""
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
    Probe(r; projection=:dense, distribution=:rademacher)

Keep `r` random projections of every sample instead of the sample (`:dense`,
`:orthogonal`), or `r` of each of its channels (`:independent`). The filter
gradient becomes an unbiased estimate with variance proportional to `1/r`.

`distribution` of the projections: `:rademacher` (least variance), `:gaussian` or
`:uniform`.
"""
struct Probe <: Scheme
    r::Int
    projection::Symbol
    distribution::Symbol

    function Probe(r::Integer; projection::Symbol=:dense, distribution::Symbol=:rademacher)
        r >= 1 || throw(ArgumentError("Probe needs r >= 1, got $r"))
        one_of(:projection, projection, PROJECTIONS)
        one_of(:distribution, distribution, DISTRIBUTIONS)
        return new(r, projection, distribution)
    end
end

function one_of(what, name, choices)
    haskey(choices, name) && return nothing
    throw(ArgumentError("$what must be one of $(join(map(repr, keys(choices)), ", ")), " *
                        "got $(repr(name))"))
end

# Keywords that keep their default are not printed; what is printed can be read back.
Base.show(io::IO, ::Exact) = print(io, "Exact()")
function Base.show(io::IO, s::Probe)
    options = String[]
    s.projection === :dense || push!(options, "projection=$(repr(s.projection))")
    s.distribution === :rademacher || push!(options, "distribution=$(repr(s.distribution))")
    print(io, "Probe(", s.r, isempty(options) ? "" : "; ", join(options, ", "), ")")
end

function scheme_desc(projection, distribution, probes)
    return SchemeDesc(sizeof(SchemeDesc), projection, distribution, probes, 0, 0, 0)
end
SchemeDesc(::Exact) = scheme_desc(XCONV_IDENTITY, XCONV_RADEMACHER, 0)
SchemeDesc(s::Probe) =
    scheme_desc(PROJECTIONS[s.projection], DISTRIBUTIONS[s.distribution], s.r)

"""Whether the scheme draws random numbers, and so needs a seed."""
israndom(::Exact) = false
israndom(::Probe) = true

"""A seed for the scheme from `rng`, or from the task's generator. Exact() draws none."""
draw_seed(s::Scheme, rng::AbstractRNG) = israndom(s) ? rand(rng, UInt64) : UInt64(0)
draw_seed(s::Scheme, ::Nothing) = draw_seed(s, Random.default_rng())
