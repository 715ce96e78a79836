# The mathematics in plain loops, in Float64, sharing no code with the library.

"""All (output place, input place, filter place) that meet along the spatial axes."""
function each_tap(f, xsize, wsize, o)
    N = length(o.stride)
    out = output_size(xsize, wsize, o)
    for place in CartesianIndices(out), tap in CartesianIndices(wsize[1:N])
        source = ntuple(d -> (place[d] - 1) * o.stride[d] - o.pad_begin[d] +
                             (tap[d] - 1) * o.dilation[d] + 1, N)
        all(d -> 1 <= source[d] <= xsize[d], 1:N) || continue
        # Without `flipped` this is a true convolution: the filter is mirrored.
        weight = o.flipped ? Tuple(tap) : ntuple(d -> wsize[d] + 1 - tap[d], N)
        f(Tuple(place), source, weight)
    end
end

function output_size(xsize, wsize, o)
    return ntuple(length(o.stride)) do d
        extent = o.dilation[d] * (wsize[d] - 1) + 1
        (xsize[d] + o.pad_begin[d] + o.pad_end[d] - extent) ÷ o.stride[d] + 1
    end
end

"""Every product x*w that belongs to an output, with the channels of its group."""
function each_product(f, xsize, wsize, o)
    N = length(o.stride)
    ci_per, co_per = wsize[N+1], wsize[N+2] ÷ o.groups
    each_tap(xsize, wsize, o) do place, source, weight
        for n in 1:xsize[N+2], co in 1:wsize[N+2], c in 1:ci_per
            ci = ((co - 1) ÷ co_per) * ci_per + c
            f((place..., co, n), (source..., ci, n), (weight..., c, co))
        end
    end
end

function oracle_conv(x, w, o)
    y = zeros(output_size(size(x), size(w), o)..., size(w)[end], size(x)[end])
    each_product(size(x), size(w), o) do at_y, at_x, at_w
        y[at_y...] += Float64(x[at_x...]) * w[at_w...]
    end
    return y
end

function oracle_filter(x, dy, wsize, o)
    dw = zeros(wsize)
    each_product(size(x), wsize, o) do at_y, at_x, at_w
        dw[at_w...] += Float64(x[at_x...]) * dy[at_y...]
    end
    return dw
end

function oracle_data(dy, w, xsize, o)
    dx = zeros(xsize)
    each_product(xsize, size(w), o) do at_y, at_x, at_w
        dx[at_x...] += Float64(dy[at_y...]) * w[at_w...]
    end
    return dx
end

"""Max pooling and, for a cotangent, the gradient: the first of equals wins."""
function oracle_maxpool(x, k, dy; stride, pad_begin, pad_end)
    N = length(k)
    out = ntuple(d -> (size(x, d) + pad_begin[d] + pad_end[d] - k[d]) ÷ stride[d] + 1, N)
    y = fill(-Inf, out..., size(x, N + 1), size(x, N + 2))
    dx = zeros(size(x))
    for at in CartesianIndices(y)
        winner = nothing
        for tap in CartesianIndices(k)
            source = ntuple(d -> (at[d] - 1) * stride[d] - pad_begin[d] + tap[d], N)
            all(d -> 1 <= source[d] <= size(x, d), 1:N) || continue
            value = x[source..., at[N+1], at[N+2]]
            if winner === nothing || value > y[at]
                y[at] = value
                winner = source
            end
        end
        dx[winner..., at[N+1], at[N+2]] += dy === nothing ? 0.0 : dy[at]
    end
    return y, dx
end

"""Small whole numbers: sums of their products are exact in Float32 in any order."""
whole(rng, T, dims...) = T.(rand(rng, -3:3, dims...))

"""A spread of geometries: name, size of x, size of w, keywords of conv."""
const GEOMETRIES = [
    ("1-D", (11, 3, 2), (3, 3, 4), NamedTuple()),
    ("1-D strided, uneven pads", (10, 2, 3), (4, 2, 2), (stride=2, pad=(1, 2))),
    ("2-D", (7, 6, 3, 2), (3, 3, 3, 4), (pad=1,)),
    ("2-D uneven", (9, 8, 4, 3), (3, 2, 2, 6),
        (stride=(2, 1), pad=(1, 0, 2, 1), dilation=(1, 2), groups=2)),
    ("2-D correlation", (6, 7, 2, 2), (2, 3, 2, 3), (flipped=true, pad=(0, 1))),
    ("2-D depthwise", (6, 6, 4, 2), (3, 3, 1, 8), (groups=4, pad=1)),
    ("2-D 1x1, batch 1", (5, 4, 6, 1), (1, 1, 6, 3), (stride=2,)),
    ("3-D", (5, 4, 6, 2, 2), (3, 2, 3, 2, 3), (pad=(1, 0, 0, 1, 1, 1), stride=(1, 2, 1))),
    ("3-D dilated", (6, 5, 5, 2, 1), (2, 2, 2, 1, 4), (dilation=2, groups=2, flipped=true)),
]

const SCHEMES = [
    [Probe(5; projection=p, distribution=d) for p in (:dense, :orthogonal, :independent)
     for d in (:rademacher, :gaussian, :uniform)]
    Probe(5; mean=true)
    Probe(3; projection=:orthogonal, mean=true, distribution=:gaussian)
    Probe(4; projection=:independent, mean=true, bits=2, group=16)
    Probe(9; bits=8, distribution=:uniform)
    Probe(6; projection=:orthogonal, bits=1)
    Quantize(1)
    Quantize(2; group=8)
    Quantize(4)
    Quantize(8; group=64)
]
