# Which scheme for a layer? The library measures them on the layer's own tensors; here
# is the table it fills, for reading, for programs and as a picture.

const AdviceRow = NamedTuple{(:scheme, :kept_bytes, :relative_variance, :variance_error,
    :milliseconds, :on_front, :recommended),
    Tuple{Scheme,Int,Float64,Float64,Float64,Bool,Bool}}

const LayerRow = NamedTuple{(:layer, :scheme, :kept_bytes, :noise),Tuple{String,Scheme,Int,Float64}}

"""A table of named tuples, one for each row of the vector `rows`."""
abstract type AdviceTable{Row<:NamedTuple} <: AbstractVector{Row} end
Base.size(a::AdviceTable) = size(a.rows)
Base.getindex(a::AdviceTable, i::Int) = a.rows[i]

"""
    Advice

What [`XConv.advise`](@ref) measured of a layer: a vector of named tuples, and so a
table to Tables.jl, the fewest bytes first. `batch_noise` is how much the gradient
varies because a batch is a sample of all data, on the scale of `relative_variance`;
`x_bytes` what the input itself would take. Notebooks show it as a picture;
`XConv.svg(file, advice)` writes it.
"""
struct Advice <: AdviceTable{AdviceRow}
    rows::Vector{AdviceRow}
    batch_noise::Float64
    x_bytes::Int
end

"""
    XConv.recommended(advice)

The scheme that the library recommends, or nothing when it left all of them out.
"""
function recommended(a::Advice)
    i = findfirst(r -> r.recommended, a.rows)
    return i === nothing ? nothing : a.rows[i].scheme
end

"""
    XConv.advise(x, dy, w; budget_bytes=0, max_noise=0, seconds=10, draws=0, seed=0,
                 stride=1, pad=0, …) -> Advice

Measure schemes on `x`, a batch of a layer's input, and `dy`, the gradient of its
output, best taken from a training under way; of `w` only the size is used, and may be
given instead. Every scheme is drawn `draws` times (0: 2 to 8, as many as it takes to know
its noise to 2 %); those that would not be done within `seconds` are not started.

Those that keep more than `budget_bytes` or are noisier than `max_noise` (0 is no bound)
are left out. Recommended is, of those that no other beats in both, the one with the
fewest bytes within `max_noise`, or else the least noise within `budget_bytes`, or else
the fewest bytes with a noise below that of the batch.

    XConv.advise(model, batch, loss; budget, seconds=60, draws=4, seed=0,
                 skip_first=true, select=layer -> true) -> ModelAdvice

Choose a scheme for every convolution of a Flux model such that everything that is kept
for the backward pass fits into `budget` bytes (parameters and data not counted), with
the least sum of the layers' relative variances. They are measured in one gradient of
`loss(model, batch...)`; use a model in training rather than a new one. `xconv(model,
advice)` converts the model.
"""
advise(x::AbstractArray, dy::AbstractArray, w; budget_bytes=0, max_noise=0, seconds=10, draws=0,
       seed=0, kw...) = advise(x, dy, w, options(w; kw...); budget_bytes=budget_bytes,
    max_noise=max_noise, seconds=seconds, draws=draws, seed=seed)
advise(args...; kw...) = throw(ArgumentError(
    "advise takes the arrays x and dy and a w, or a Flux model, a batch and a loss; " *
    (flux_is_loaded() ? "it got $(join(map(typeof, args), ", "))" : "for those " * load_flux())))

function advise(x::AbstractArray{T,M}, dy::AbstractArray, w, o::ConvOptions;
                budget_bytes=0, max_noise=0, seconds=10, draws=0, seed=0) where {T,M}
    same_type(x, dy)
    p = plan_of(x, w, Exact(), o)
    xd, dyd = dense(x, "x"), dense(dy, "dy")
    check_array(xd, p.device, p.conv.dtype, xsize(p, Val(M - 2)), "x")
    check_array(dyd, p.device, p.conv.dtype, ysize(p, Val(M - 2)), "dy")
    options = AdviseOptions(sizeof(AdviseOptions), draws, 0, budget_bytes, max_noise, seconds, seed)
    entries, batch_noise = measure_schemes(xd, dyd, p, options)
    return Advice([AdviceRow((Scheme(e.scheme), e.kept_bytes, e.relative_variance,
        e.variance_error, e.milliseconds, e.on_front != 0, e.recommended != 0)) for e in entries],
        batch_noise, x_bytes(p))
end

function measure_schemes(x, dy, p::Plan, options)
    ctx = context_for(p)
    needs(what) = (value = Ref{Int64}(0);
        check(xconv_advise_query(ctx.handle, Ref(p.conv), Ref(options), what, value)); value[])
    entries = Vector{AdviceEntry}(undef, needs(XCONV_ADVISE_CAPACITY))
    bytes = needs(XCONV_ADVISE_WORKSPACE)
    count, batch_noise = Ref{Csize_t}(0), Ref(0.0)
    traced(:advise, bytes) do
        with_workspace(p.device, bytes) do scratch, scratch_bytes
            GC.@preserve ctx x dy check(xconv_advise(ctx.handle, Ref(p.conv), address(x),
                address(dy), Ref(options), entries, sizeof(AdviceEntry), length(entries), count,
                batch_noise, scratch, scratch_bytes))
        end
    end
    return entries[1:count[]], batch_noise[]
end

"""
    ModelAdvice

A scheme for every convolution of a model, from [`XConv.advise`](@ref): a vector of named
tuples with the layer's path and description, the bytes it keeps and its relative variance.
`other_bytes` is what the rest of the network keeps.
"""
struct ModelAdvice <: AdviceTable{LayerRow}
    rows::Vector{LayerRow}
    other_bytes::Int
    budget::Int
end

"""Bytes kept for the backward pass with these schemes."""
total_bytes(a::ModelAdvice) = a.other_bytes + mapreduce(r -> r.kept_bytes, +, a.rows; init=0)

# ----------------------------------------------------------------------- to be read

Base.show(io::IO, a::Advice) = print(io, "XConv.Advice of ", length(a), " schemes")

function Base.show(io::IO, ::MIME"text/plain", a::Advice)
    front = filter(r -> r.on_front, a.rows)
    width = mapreduce(r -> length(string(r.scheme)), max, front; init=6)
    println(io, "Schemes that no other beats in bytes and in noise, of ", length(a), " measured:")
    println(io, "  ", rpad("scheme", width), lpad("kept", 13), lpad("smaller by", 12),
        lpad("rel. variance", 20), lpad("ms", 10))
    for r in front
        println(io, r.recommended ? "* " : "  ", rpad(string(r.scheme), width),
            lpad(format_bytes(r.kept_bytes), 13),
            lpad(string(rounded_to(a.x_bytes / r.kept_bytes), "x"), 12),
            lpad(string(rounded_to(r.relative_variance), " ± ", rounded_to(r.variance_error)), 20),
            lpad(rounded_to(r.milliseconds), 10))
    end
    print(io, "The batch's own noise is ", rounded_to(a.batch_noise),
        any(r -> r.recommended, front) ? "; * is recommended." : "; nothing is recommended.")
end

Base.show(io::IO, a::ModelAdvice) = print(io, "XConv.ModelAdvice of ", length(a), " convolutions")

function Base.show(io::IO, ::MIME"text/plain", a::ModelAdvice)
    cells = [(r.layer, string(r.scheme), format_bytes(r.kept_bytes), rounded_to(r.noise)) for r in a.rows]
    widths = [maximum(row -> length(row[i]), cells) for i in 1:2]
    println(io, rpad("layer", widths[1]), "  ", rpad("scheme", widths[2]), lpad("kept", 13),
        lpad("rel. variance", 16))
    for (layer, scheme, kept, noise) in cells
        println(io, rpad(layer, widths[1]), "  ", rpad(scheme, widths[2]), lpad(kept, 13), lpad(noise, 16))
    end
    print(io, format_bytes(total_bytes(a)), " of ", format_bytes(a.budget), ", ",
        format_bytes(a.other_bytes), " of them not by convolutions")
end

"""Three digits, as people write them."""
rounded_to(value) = !isfinite(value) ? string(value) : value >= 100 ? string(round(Int, value)) :
                    string(round(value; sigdigits=3))
format_bytes(bytes) = Base.format_bytes(Int(bytes))

# ----------------------------------------------------------------------- as a picture

"""
    XConv.svg(file, advice)

Write the picture of an [`XConv.Advice`](@ref) to a file: noise over bytes kept, both on
logarithmic scales.
"""
svg(file::AbstractString, a::Advice) = open(io -> show(io, MIME("image/svg+xml"), a), file, "w")

"""A logarithmic axis: from numbers to places."""
struct LogAxis
    low::Float64
    high::Float64
    first::Float64
    last::Float64
end
(axis::LogAxis)(v) =
    axis.first + (log10(v) - axis.low) / (axis.high - axis.low) * (axis.last - axis.first)
function log_axis(values, first, last)
    low, high = floor(log10(minimum(values))), ceil(log10(maximum(values)))
    return LogAxis(low, high > low ? high : low + 1, first, last)
end
ticks(axis::LogAxis) = [10.0^e for e in Int(axis.low):Int(axis.high)]

function Base.show(io::IO, ::MIME"image/svg+xml", a::Advice)
    width, height, left, bottom = 640, 400, 70, 350
    print(io, """<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" """,
        """font-family="sans-serif" font-size="11">\n""",
        """<rect width="100%" height="100%" fill="white"/>\n""")
    shown = filter(r -> r.relative_variance > 0 && r.kept_bytes > 0, a.rows)
    isempty(shown) || draw_points(io, a, shown, log_axis([r.kept_bytes for r in shown], left, width - 20),
        log_axis([r.relative_variance for r in shown], bottom, 20))
    print(io, """<text x="$((left + width) ÷ 2)" y="$(height - 10)" text-anchor="middle">""",
        "bytes kept of $(format_bytes(a.x_bytes))</text>\n",
        """<text x="16" y="$(bottom ÷ 2)" transform="rotate(-90 16 $(bottom ÷ 2))" """,
        """text-anchor="middle">relative variance of dw</text>\n</svg>\n""")
end

function draw_points(io, a, rows, across, up)
    line(x1, y1, x2, y2, style) = print(io, """<line x1="$x1" y1="$y1" x2="$x2" y2="$y2" $style/>\n""")
    label(x, y, anchor, text) = print(io, """<text x="$x" y="$y" text-anchor="$anchor">$text</text>\n""")
    for t in ticks(across)
        line(across(t), up.first, across(t), up.last, "stroke=\"#e0e0e0\"")
        label(across(t), up.first + 15, "middle", format_bytes(t))
    end
    for t in ticks(up)
        line(across.first, up(t), across.last, up(t), "stroke=\"#e0e0e0\"")
        label(across.first - 6, up(t) + 4, "end", t)
    end
    if 10^up.low < a.batch_noise < 10^up.high
        y = up(a.batch_noise)
        line(across.first, y, across.last, y, "stroke=\"#c04020\" stroke-dasharray=\"5 3\"")
        label(across.last, y - 4, "end", "noise of the batch")
    end
    front = filter(r -> r.on_front, rows)
    points = join(("$(across(r.kept_bytes)),$(up(r.relative_variance))" for r in front), ' ')
    print(io, """<polyline points="$points" fill="none" stroke="#2060a0"/>\n""")
    for r in rows
        color = r.recommended ? "#c04020" : r.on_front ? "#2060a0" : "#b0b0b0"
        print(io, """<circle cx="$(across(r.kept_bytes))" cy="$(up(r.relative_variance))" """,
            """r="$(r.recommended ? 6 : 3)" fill="$color"><title>$(r.scheme)</title></circle>\n""")
    end
end
