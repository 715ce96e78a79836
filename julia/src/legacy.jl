# The entry points of the original XConv, so that its scripts run. Their estimates
# are now unbiased at the borders too.

"""
    initXConv(r, mode)

As in the original package: `"EVGrad"` makes Zygote estimate the filter gradient of
every `NNlib.conv` from `r` probes, `"TrueGrad"` goes back to exact gradients. It
holds for the whole process; [`XConv.with_override`](@ref) holds for a block.
"""
function initXConv(probe_size::Integer, mode::AbstractString)
    if mode == "EVGrad"
        process_override[] = Probe(probe_size)
    elseif mode == "TrueGrad"
        process_override[] = nothing
    else
        throw(ArgumentError("mode must be \"EVGrad\" or \"TrueGrad\", got $(repr(mode))"))
    end
    return nothing
end

"""
    grad_ev(X, Y, r, nw, stride=(1, 1))

Estimate from `r` probes of the gradient of a filter of width `nw`, for input `X` and
output cotangent `Y`, padded such that a stride of 1 keeps the size.
"""
function grad_ev(X::AbstractArray{T,4}, Y::AbstractArray{T,4}, n::Integer, nw::Integer,
                 stride::Tuple=(1, 1)) where {T<:Union{Float32,Float64}}
    w = (Int(nw), Int(nw), size(X, 3), size(Y, 3))
    kept = sketch(X, w; scheme=Probe(n), stride=stride, pad=same_pad(nw))
    return ∇conv_filter(kept, Y)
end

"""
    XConv.probe_X(X, r; rng=nothing) -> seed, eX

The sketch of `X` as the original keeps it: a seed, and a matrix with a row per sample.
"""
function probe_X(X::AbstractArray{T,4}, n::Integer;
                 rng=nothing) where {T<:Union{Float32,Float64}}
    # How the filter moves does not matter for the sketch; the smallest one will do.
    kept = sketch(X, (1, 1, size(X, 3), 1); scheme=Probe(n), rng=rng)
    return kept.seed, permutedims(reshape(collect(reinterpret(T, kept.data)), Int(n), size(X, 4)))
end

"""
    grad_ev(seed, eX, Y, w, stride=(1, 1))

The same estimate from what `XConv.probe_X` kept. The input is taken to be `stride`
times as large as `Y`.
"""
function grad_ev(seed::UInt64, eX::AbstractMatrix{T}, Y::AbstractArray{T,4},
                 w::AbstractArray{T,4}, stride::Tuple=(1, 1)) where {T<:Union{Float32,Float64}}
    batch, n = size(eX)
    xs = (size(Y, 1) * stride[1], size(Y, 2) * stride[2], size(w, 3), batch)
    p = plan((T, xs), w; scheme=Probe(n), stride=stride, pad=same_pad(size(w, 1)))
    data = collect(reinterpret(UInt8, vec(permutedims(eX))))
    return ∇conv_filter(Sketch(data, seed, p), Y)
end

same_pad(nw::Integer) = (nw ÷ 2, nw - 1 - nw ÷ 2, nw ÷ 2, nw - 1 - nw ÷ 2)
