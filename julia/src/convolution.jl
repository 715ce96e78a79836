# The array API. Every function ending in ! is one call of the library; the others
# allocate the result, make the plan from the sizes, and call it.

"""
    Sketch

What is kept of a convolution's input: the numbers, the seed they were drawn with,
and the plan. [`XConv.∇conv_filter`](@ref) turns it into a filter gradient.
"""
struct Sketch
    data::Vector{UInt8}
    seed::UInt64
    plan::Plan
end

Base.sizeof(s::Sketch) = sizeof(s.data)
Base.show(io::IO, s::Sketch) = print(io, "XConv.Sketch(", s.plan.scheme, ", ",
    length(s.data), " bytes instead of ", x_bytes(s.plan), ")")

x_bytes(plan::Plan) = Int(query(plan.handle, XCONV_QUERY_X_BYTES))

"""
    XConv.plan(x, w; scheme=Exact(), stride=1, pad=0, dilation=1, groups=1, flipped=false)

The plan of a convolution of `x` with `w`; both may be given as arrays, or the first
as an element type and a size, `(T, size)`, and the second as a size.
"""
plan(x, w; scheme::Scheme=Exact(), kw...) = plan_of(x, w, scheme, options(w; kw...))

options(w::AbstractArray{T,M}; kw...) where {T,M} = ConvOptions(Val(M - 2); kw...)
options(w::NTuple{M,Integer}; kw...) where {M} = ConvOptions(Val(M - 2); kw...)

plan_of(x::AbstractArray, w::AbstractArray, scheme, o) =
    (same_type(x, w); plan_for(ConvDesc(eltype(x), size(x), size(w), o), scheme))
plan_of(x::AbstractArray, w::Tuple, scheme, o) =
    plan_for(ConvDesc(eltype(x), size(x), map(Int, w), o), scheme)
plan_of(x::Tuple{Type,Tuple}, w, scheme, o) =
    plan_for(ConvDesc(x[1], map(Int, x[2]), sizes(w), o), scheme)

sizes(w::AbstractArray) = size(w)
sizes(w::Tuple) = map(Int, w)

# -------------------------------------------------------------------- forward

"""
    XConv.conv(x, w, [b]; stride=1, pad=0, dilation=1, groups=1, flipped=false,
               bias=nothing, scheme=Exact(), rng=nothing)

Convolution of `x` (W, H, …, channels, batch) with `w`, in NNlib's conventions, plus
the bias `b` (or the keyword `bias`) of one number per output channel.

Differentiating it (with ChainRulesCore loaded) keeps of `x` what `scheme` says and
gives the filter gradient from that; the gradients of `x` and `b` are exact. Random
schemes draw one seed per call from `rng`, by default the task's own generator.
Inside a gradient give the bias as the third argument.
"""
function conv(x::AbstractArray, w::AbstractArray, b=nothing; bias=nothing,
              scheme::Scheme=Exact(), rng=nothing, kw...)
    b === nothing || bias === nothing ||
        throw(ArgumentError("give the bias once: as third argument or as keyword"))
    return convolve(x, w, b === nothing ? bias : b, scheme, rng, options(w; kw...))
end

"""`conv` with all arguments in place. Nothing is kept here: the rule of the
ChainRulesCore extension does that."""
convolve(x, w, b, scheme::Scheme, rng, o::ConvOptions) =
    first(forward(x, w, b, Exact(), nothing, o))

"""
    XConv.conv_sketch(x, w, [b]; scheme, rng=nothing, seed=…, stride, pad, …) -> y, sketch

[`XConv.conv`](@ref), and the sketch of `x` made on the way.
"""
function conv_sketch(x::AbstractArray, w::AbstractArray, b=nothing; scheme::Scheme,
                     rng=nothing, seed=draw_seed(scheme, rng), kw...)
    return forward(x, w, b, scheme, UInt64(seed), options(w; kw...))
end

"""`y` and the sketch, or `y` and nothing when `seed` is nothing."""
function forward(x::AbstractArray{T,M}, w::AbstractArray, b, scheme::Scheme, seed,
                 o::ConvOptions) where {T,M}
    p = plan_of(x, w, scheme, o)
    y = Array{T,M}(undef, ysize(p, Val(M - 2)))
    kept = seed === nothing ? nothing : Sketch(Vector{UInt8}(undef, p.sketch_bytes), seed, p)
    conv!(y, p, x, w, b, kept)
    return y, kept
end

"""
    XConv.conv!(y, plan, x, w, b, sketch)

One pass forward into `y`; `b` and `sketch` may be nothing.
"""
function conv!(y::Array{T,M}, p::Plan, x, w, b, kept::Union{Nothing,Sketch}) where {T,M}
    xd, wd, bd = dense(x, "x"), dense(w, "w"), dense_bias(b, w)
    check_array(y, p.conv.dtype, ysize(p, Val(M - 2)), "y")
    check_array(xd, p.conv.dtype, xsize(p, Val(M - 2)), "x")
    check_array(wd, p.conv.dtype, wsize(p, Val(M - 2)), "w")
    data, bytes, seed = kept === nothing ? (nothing, 0, UInt64(0)) :
                        (kept.data, length(kept.data), kept.seed)
    traced(:forward, p.workspace[1]) do
        with_workspace(p.workspace[1]) do scratch, scratch_bytes
            GC.@preserve p y xd wd bd data check(xconv_forward(p.context.handle, p.handle,
                address(xd), address(wd), address(bd), address(y), seed, address(data), bytes,
                scratch, scratch_bytes))
        end
    end
    return y
end

dense_bias(::Nothing, w) = nothing
dense_bias(b::Bool, w) = b ? throw(ArgumentError("bias=true is not a bias")) : nothing
function dense_bias(b::AbstractArray, w)
    same_type(b, w)
    length(b) == size(w, ndims(w)) || throw(DimensionMismatch(
        "the bias must have one number per output channel, $(size(w, ndims(w))), got $(length(b))"))
    return vec(dense(b, "bias"))
end

"""
    XConv.sketch(x, w; scheme, rng=nothing, seed=…, stride, pad, dilation, groups, flipped)

The sketch of `x` alone, for when something else computes the convolution; of `w`
only the size is used, and may be given instead.
"""
function sketch(x::AbstractArray, w; scheme::Scheme, rng=nothing,
                seed=draw_seed(scheme, rng), kw...)
    return sketch_of(x, plan(x, w; scheme=scheme, kw...), UInt64(seed))
end

function sketch_of(x::AbstractArray{T,M}, p::Plan, seed::UInt64) where {T,M}
    xd = dense(x, "x")
    check_array(xd, p.conv.dtype, xsize(p, Val(M - 2)), "x")
    kept = Sketch(Vector{UInt8}(undef, p.sketch_bytes), seed, p)
    data = kept.data
    traced(:sketch, p.workspace[2]) do
        with_workspace(p.workspace[2]) do scratch, scratch_bytes
            GC.@preserve p xd data check(xconv_sketch(p.context.handle, p.handle, address(xd),
                seed, address(data), length(data), scratch, scratch_bytes))
        end
    end
    return kept
end

# ------------------------------------------------------------------- backward

"""
    XConv.∇conv_filter(sketch, dy)

Unbiased estimate of the filter gradient from the sketch of the input. The sketch knows
the geometry; keywords may repeat it, and must agree.

    XConv.∇conv_filter(x, dy, w; stride, pad, dilation, groups, flipped)

The exact one from the input; of `w` only the size is used, and may be given instead.
"""
function ∇conv_filter(s::Sketch, dy::AbstractArray{T,M}; kw...) where {T,M}
    isempty(kw) || check_options(s.plan, ConvOptions(Val(M - 2); kw...))
    return ∇conv_filter!(Array{T,M}(undef, wsize(s.plan, Val(M - 2))), s, dy)
end

function check_options(p::Plan, o::ConvOptions)
    d = p.conv
    (to_library(o.stride), to_library(o.dilation), to_library(o.pad_begin), to_library(o.pad_end),
        o.groups, o.flipped) == (d.stride, d.dilation, d.pad_begin, d.pad_end, d.groups, d.flip == 0) ||
        throw(ArgumentError("the sketch was made for another convolution: $(describe(p))"))
    return nothing
end

∇conv_filter(x::AbstractArray, dy::AbstractArray, w; kw...) =
    (same_type(x, dy); ∇conv_filter_exact(x, dy, plan(x, w; kw...)))

∇conv_filter_exact(x, dy::AbstractArray{T,M}, p::Plan) where {T,M} =
    ∇conv_filter!(Array{T,M}(undef, wsize(p, Val(M - 2))), x, dy, p)

"""
    XConv.∇conv_filter!(dw, sketch, dy; beta=0)

`dw = estimate + beta * dw`.
"""
function ∇conv_filter!(dw::Array{T,M}, s::Sketch, dy::AbstractArray{T,M};
                       beta::Real=0) where {T,M}
    p, data, dyd = s.plan, s.data, dense(dy, "dy")
    check_gradients(p, dw, dyd, Val(M - 2))
    traced(:backward_filter, p.workspace[3]) do
        with_workspace(p.workspace[3]) do scratch, scratch_bytes
            GC.@preserve p data dyd dw check(xconv_backward_filter(p.context.handle, p.handle,
                address(data), length(data), s.seed, address(dyd), beta, address(dw), scratch,
                scratch_bytes))
        end
    end
    return dw
end

"""
    XConv.∇conv_filter!(dw, x, dy, plan; beta=0)

`dw = exact gradient + beta * dw`.
"""
function ∇conv_filter!(dw::Array{T,M}, x::AbstractArray{T,M}, dy::AbstractArray{T,M}, p::Plan;
                       beta::Real=0) where {T,M}
    xd, dyd = dense(x, "x"), dense(dy, "dy")
    check_gradients(p, dw, dyd, Val(M - 2))
    check_array(xd, p.conv.dtype, xsize(p, Val(M - 2)), "x")
    traced(:backward_filter_exact, p.workspace[4]) do
        with_workspace(p.workspace[4]) do scratch, scratch_bytes
            GC.@preserve p xd dyd dw check(xconv_backward_filter_exact(p.context.handle, p.handle,
                address(xd), address(dyd), beta, address(dw), scratch, scratch_bytes))
        end
    end
    return dw
end

function check_gradients(p::Plan, dw, dy, rank::Val)
    check_array(dw, p.conv.dtype, wsize(p, rank), "dw")
    check_array(dy, p.conv.dtype, ysize(p, rank), "dy")
end

"""
    XConv.∇conv_data(dy, w, x; stride, pad, dilation, groups, flipped)

Exact gradient with respect to the input; of `x` only the size is used, and may be
given instead. It may be left out when the stride is 1; otherwise several sizes of `x`
lead to the same `dy`.
"""
∇conv_data(dy::AbstractArray, w::AbstractArray; kw...) =
    ∇conv_data(dy, w, only_xsize(size(dy), size(w), options(w; kw...)); kw...)

function only_xsize(ysize, wsize, o::ConvOptions{N}) where {N}
    all(==(1), o.stride) || throw(ArgumentError(
        "with a stride of $(o.stride) the size of x is needed, as the third argument"))
    inner = ntuple(d -> ysize[d] + o.dilation[d] * (wsize[d] - 1) - o.pad_begin[d] - o.pad_end[d],
        Val(N))
    return (inner..., wsize[N+1] * o.groups, ysize[N+2])
end

∇conv_data(dy::AbstractArray, w::AbstractArray, x; kw...) =
    (same_type(dy, w); ∇conv_data(dy, w, plan((eltype(w), sizes(x)), w; kw...)))

function ∇conv_data(dy::AbstractArray{T,M}, w::AbstractArray{T,M}, p::Plan) where {T,M}
    dyd, wd = dense(dy, "dy"), dense(w, "w")
    check_array(wd, p.conv.dtype, wsize(p, Val(M - 2)), "w")
    check_array(dyd, p.conv.dtype, ysize(p, Val(M - 2)), "dy")
    dx = Array{T,M}(undef, xsize(p, Val(M - 2)))
    traced(:backward_data, p.workspace[5]) do
        with_workspace(p.workspace[5]) do scratch, scratch_bytes
            GC.@preserve p dyd wd dx check(xconv_backward_data(p.context.handle, p.handle,
                address(wd), address(dyd), address(dx), scratch, scratch_bytes))
        end
    end
    return dx
end

"""
    XConv.∇conv_bias(dy, plan)

Exact gradient with respect to the bias.
"""
function ∇conv_bias(dy::AbstractArray{T,M}, p::Plan) where {T,M}
    dyd = dense(dy, "dy")
    check_array(dyd, p.conv.dtype, ysize(p, Val(M - 2)), "dy")
    db = Vector{T}(undef, p.conv.out_channels)
    traced(:backward_bias, 0) do
        GC.@preserve p dyd db check(xconv_backward_bias(p.context.handle, p.handle,
            address(dyd), 0.0, address(db)))
    end
    return db
end
