# The array API. Every function ending in ! is one call of the library; the others
# allocate the result, make the plan from the sizes, and call it.

"""
    Sketch

What is kept of a convolution's input: its bytes, on the input's device, the seed they
were drawn with, and the plan. [`XConv.∇conv_filter`](@ref) turns it into a filter gradient.
"""
struct Sketch{V<:AbstractVector{UInt8}}
    data::V
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
    (same_type(x, w); plan_on(x, ConvDesc(eltype(x), size(x), size(w), o), scheme))
plan_of(x::AbstractArray, w::Tuple, scheme, o) =
    plan_on(x, ConvDesc(eltype(x), size(x), map(Int, w), o), scheme)
plan_of(x::Tuple{Type,Tuple}, w::AbstractArray, scheme, o) =
    plan_on(w, ConvDesc(x[1], map(Int, x[2]), size(w), o), scheme)
plan_of(x::Tuple{Type,Tuple}, w::Tuple, scheme, o) =
    plan_for(ConvDesc(x[1], map(Int, x[2]), map(Int, w), o), scheme, CPU(thread_count[]))

"""The plan on the device of `x`."""
function plan_on(x, conv, scheme)
    d = device(x)
    d === nothing && throw(ArgumentError("XConv does not know the memory of a $(typeof(x))"))
    return plan_for(conv, scheme, d)
end

sizes(w::AbstractArray) = size(w)
sizes(w::Tuple) = map(Int, w)

"""Element type of filter and bias gradients of arrays of `T`."""
dw_type(::Type{T}, p::Plan) where {T} = T
dw_type(::Type{Float16}, p::Plan) = p.conv.float32_dw == 0 ? Float16 : Float32

# -------------------------------------------------------------------- forward

"""
    XConv.conv(x, w, [b]; stride=1, pad=0, dilation=1, groups=1, flipped=false,
               bias=nothing, scheme=Exact(), rng=nothing)

Convolution of `x` (W, H, …, channels, batch) with `w`, in NNlib's conventions, plus
the bias `b` (or the keyword `bias`) of one number per output channel. With
`float32_dw=true`, filter and bias gradients of Float16 arrays are Float32.

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
    d = device(x)
    y = allocate(d, T, ysize(p, Val(M - 2)))
    kept = seed === nothing ? nothing : Sketch(allocate(d, UInt8, (p.sketch_bytes,)), seed, p)
    conv!(y, p, x, w, b, kept)
    return y, kept
end

"""
    XConv.conv!(y, plan, x, w, b, sketch)

One pass forward into `y`; `b` and `sketch` may be nothing.
"""
function conv!(y::AbstractArray{T,M}, p::Plan, x, w, b, kept::Union{Nothing,Sketch}) where {T,M}
    xd, wd, bd = dense(x, "x"), dense(w, "w"), dense_bias(b, w)
    check_output(y, "y")
    check_array(y, p.device, p.conv.dtype, ysize(p, Val(M - 2)), "y")
    check_array(xd, p.device, p.conv.dtype, xsize(p, Val(M - 2)), "x")
    check_array(wd, p.device, p.conv.dtype, wsize(p, Val(M - 2)), "w")
    bd === nothing || check_place(bd, p.device, "bias")
    data, bytes, seed = kept === nothing ? (nothing, 0, UInt64(0)) :
                        (kept.data, length(kept.data), kept.seed)
    GC.@preserve y xd wd bd data run_pass(p, :forward, 1) do ctx, plan, scratch, scratch_bytes
        xconv_forward(ctx, plan, address(xd), address(wd), address(bd), address(y), seed,
            address(data), bytes, scratch, scratch_bytes)
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
    check_array(xd, p.device, p.conv.dtype, xsize(p, Val(M - 2)), "x")
    data = allocate(device(xd), UInt8, (p.sketch_bytes,))
    GC.@preserve xd data run_pass(p, :sketch, 2) do ctx, plan, scratch, scratch_bytes
        xconv_sketch(ctx, plan, address(xd), seed, address(data), length(data), scratch,
            scratch_bytes)
    end
    return Sketch(data, seed, p)
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
    return ∇conv_filter!(new_dw(s.plan, dy), s, dy)
end

function check_options(p::Plan, o::ConvOptions)
    d = p.conv
    (to_library(o.stride), to_library(o.dilation), to_library(o.pad_begin), to_library(o.pad_end),
        o.groups, o.flipped) == (d.stride, d.dilation, d.pad_begin, d.pad_end, d.groups,
        d.flip == 0) ||
        throw(ArgumentError("the sketch was made for another convolution: $(describe(p))"))
    return nothing
end

∇conv_filter(x::AbstractArray, dy::AbstractArray, w; kw...) =
    (same_type(x, dy); ∇conv_filter_exact(x, dy, plan(x, w; kw...)))

∇conv_filter_exact(x, dy::AbstractArray, p::Plan) = ∇conv_filter!(new_dw(p, dy), x, dy, p)

new_dw(p::Plan, dy::AbstractArray{T,M}) where {T,M} =
    allocate(device(dy), dw_type(T, p), wsize(p, Val(M - 2)))

"""
    XConv.∇conv_filter!(dw, sketch, dy; beta=0)

`dw = estimate + beta * dw`.
"""
function ∇conv_filter!(dw::AbstractArray{<:Any,M}, s::Sketch, dy::AbstractArray{<:Any,M};
                       beta::Real=0) where {M}
    p, data, dyd = s.plan, s.data, dense(dy, "dy")
    check_gradients(p, dw, dyd, Val(M - 2))
    GC.@preserve data dyd dw run_pass(p, :backward_filter, 3) do ctx, plan, scratch, scratch_bytes
        xconv_backward_filter(ctx, plan, address(data), length(data), s.seed, address(dyd), beta,
            address(dw), scratch, scratch_bytes)
    end
    return dw
end

"""
    XConv.∇conv_filter!(dw, x, dy, plan; beta=0)

`dw = exact gradient + beta * dw`.
"""
function ∇conv_filter!(dw::AbstractArray{<:Any,M}, x::AbstractArray{T,M}, dy::AbstractArray{T,M},
                       p::Plan; beta::Real=0) where {T,M}
    xd, dyd = dense(x, "x"), dense(dy, "dy")
    check_gradients(p, dw, dyd, Val(M - 2))
    check_array(xd, p.device, p.conv.dtype, xsize(p, Val(M - 2)), "x")
    GC.@preserve xd dyd dw run_pass(p, :backward_filter_exact, 4) do ctx, plan, scratch,
                                                                     scratch_bytes
        xconv_backward_filter_exact(ctx, plan, address(xd), address(dyd), beta, address(dw),
            scratch, scratch_bytes)
    end
    return dw
end

function check_gradients(p::Plan, dw, dy::AbstractArray{T}, rank::Val) where {T}
    # dy first: who gives no dw has one of dy's type.
    check_array(dy, p.device, p.conv.dtype, ysize(p, rank), "dy")
    check_output(dw, "dw")
    check_array(dw, p.device, dw_dtype(p), wsize(p, rank), "dw")
end

dw_dtype(p::Plan) = p.conv.float32_dw == 0 ? p.conv.dtype : XCONV_F32

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
    check_array(wd, p.device, p.conv.dtype, wsize(p, Val(M - 2)), "w")
    check_array(dyd, p.device, p.conv.dtype, ysize(p, Val(M - 2)), "dy")
    dx = allocate(device(dyd), T, xsize(p, Val(M - 2)))
    GC.@preserve dyd wd dx run_pass(p, :backward_data, 5) do ctx, plan, scratch, scratch_bytes
        xconv_backward_data(ctx, plan, address(wd), address(dyd), address(dx), scratch,
            scratch_bytes)
    end
    return dx
end

"""
    XConv.∇conv_bias(dy, plan)

Exact gradient with respect to the bias.
"""
function ∇conv_bias(dy::AbstractArray{T,M}, p::Plan) where {T,M}
    dyd = dense(dy, "dy")
    check_array(dyd, p.device, p.conv.dtype, ysize(p, Val(M - 2)), "dy")
    db = allocate(device(dyd), dw_type(T, p), (Int(p.conv.out_channels),))
    GC.@preserve dyd db run_pass(p, :backward_bias, 0) do ctx, plan, _, _
        xconv_backward_bias(ctx, plan, address(dyd), 0.0, address(db))
    end
    return db
end
