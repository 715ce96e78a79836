using Random: MersenneTwister

@testset "conv and its gradients: $name, $T" for (name, xs, ws, kw) in GEOMETRIES,
                                                 T in (Float32, Float64)
    rng = MersenneTwister(1)
    o = XConv.ConvOptions(Val(length(xs) - 2); kw...)
    x, w, b = whole(rng, T, xs...), whole(rng, T, ws...), whole(rng, T, ws[end])
    y = oracle_conv(x, w, o)
    dy = whole(rng, T, size(y)...)
    channels = ntuple(d -> d == length(xs) - 1 ? ws[end] : 1, length(xs))

    @test XConv.conv(x, w; kw...) == y
    @test XConv.conv(x, w; kw...) isa Array{T}
    @test XConv.conv(x, w, b; kw...) == y .+ reshape(b, channels)
    @test XConv.conv(x, w; bias=b, kw...) == y .+ reshape(b, channels)
    @test XConv.conv(x, w, reshape(b, channels); kw...) == y .+ reshape(b, channels)
    @test XConv.∇conv_filter(x, dy, w; kw...) == oracle_filter(x, dy, ws, o)
    @test XConv.∇conv_filter(x, dy, ws; kw...) == oracle_filter(x, dy, ws, o)
    @test XConv.∇conv_data(dy, w, x; kw...) == oracle_data(dy, w, xs, o)
    @test XConv.∇conv_data(dy, w, xs; kw...) == oracle_data(dy, w, xs, o)
    if all(==(1), o.stride)
        @test XConv.∇conv_data(dy, w; kw...) == oracle_data(dy, w, xs, o)
    else
        @test_throws ArgumentError XConv.∇conv_data(dy, w; kw...)
    end
    p = XConv.plan(x, w; kw...)
    @test XConv.∇conv_bias(dy, p) == vec(sum(dy; dims=setdiff(1:ndims(dy), ndims(dy) - 1)))

    dw = whole(rng, T, ws...)
    before = copy(dw)
    @test XConv.∇conv_filter!(dw, x, dy, p; beta=2) == oracle_filter(x, dy, ws, o) + 2before
end

@testset "sketches: $name, $scheme" for (name, xs, ws, kw) in GEOMETRIES, scheme in SCHEMES
    rng = MersenneTwister(2)
    x, w = randn(rng, xs...), randn(rng, ws...)
    y, s = XConv.conv_sketch(x, w; scheme=scheme, seed=7, kw...)
    dy, dy2 = randn(rng, size(y)...), randn(rng, size(y)...)

    @test y ≈ XConv.conv(x, w; kw...)
    @test s.data == XConv.sketch(x, w; scheme=scheme, seed=7, kw...).data
    @test s.data != XConv.sketch(x, w; scheme=scheme, seed=8, kw...).data
    dw = XConv.∇conv_filter(s, dy)
    @test size(dw) == ws
    @test XConv.∇conv_filter(s, dy; kw...) == dw
    @test_throws ArgumentError XConv.∇conv_filter(s, dy; kw..., dilation=7)
    @test XConv.∇conv_filter(s, dy + 2dy2) ≈ dw + 2XConv.∇conv_filter(s, dy2)
    @test XConv.∇conv_filter!(copy(dw), s, dy; beta=1) ≈ 2dw
end

@testset "unbiased: $name, $scheme" for (name, xs, ws, kw) in GEOMETRIES[[2, 4, 8]],
                                         scheme in SCHEMES
    rng = MersenneTwister(3)
    x, w = randn(rng, Float32, xs...), randn(rng, Float32, ws...)
    p = XConv.plan(x, w; scheme=scheme, kw...)
    dy = randn(rng, Float32, XConv.ysize(p, Val(length(xs) - 2))...)
    exact_dw = XConv.∇conv_filter(x, dy, w; kw...)
    draws = [XConv.∇conv_filter(XConv.sketch_of(x, p, UInt64(seed)), dy) for seed in 1:600]
    mean = sum(draws) / length(draws)
    deviation = sqrt.(sum(d -> abs2.(d - mean), draws) / (length(draws) - 1))
    z = (mean - exact_dw) ./ (deviation / sqrt(length(draws)))
    # Seeds are fixed, so this is one draw of up to 48 numbers, each of which exceeds
    # 5 with a probability of about 1e-6.
    @test maximum(abs, z) < 5
    @test all(>(0), deviation)
end

@testset "exact scheme keeps x" begin
    rng = MersenneTwister(4)
    x, w = whole(rng, Float32, 6, 5, 2, 2), whole(rng, Float32, 3, 3, 2, 4)
    y, s = XConv.conv_sketch(x, w; scheme=Exact())
    @test sizeof(s) == sizeof(x)
    @test XConv.∇conv_filter(s, y) == XConv.∇conv_filter(x, y, w)
end

@testset "what few bits and means keep exactly: $T" for T in (Float32, Float64)
    rng = MersenneTwister(5)
    w = (3, 2, 4, 3)
    estimate(x, scheme, dy) = XConv.∇conv_filter(XConv.sketch(x, w; scheme=scheme, seed=9), dy)
    for bits in (1, 2, 4, 8), group in (0, 24)
        # Two levels, the smallest and the largest of every group.
        x = T.(rand(rng, (-1, 2^bits - 2), 9, 8, 4, 3))
        dy = whole(rng, T, 7, 7, 3, 3)
        @test estimate(x, Quantize(bits; group=group), dy) == XConv.∇conv_filter(x, dy, w)
        flat = fill(T(0.75), 9, 8, 4, 3) # which 8 significant bits hold
        @test estimate(flat, Quantize(bits; group=group), dy) ≈ XConv.∇conv_filter(flat, dy, w)
    end
    # Without its mean nothing is left of a constant channel for the probes to disturb.
    x = repeat(randn(rng, T, 1, 1, 4, 3), 9, 8, 1, 1)
    dy = randn(rng, T, 7, 7, 3, 3)
    for projection in (:dense, :orthogonal, :independent)
        scheme = Probe(2; projection=projection)
        @test !isapprox(estimate(x, scheme, dy), XConv.∇conv_filter(x, dy, w); rtol=0.01)
        scheme = Probe(2; projection=projection, mean=true)
        @test estimate(x, scheme, dy) ≈ XConv.∇conv_filter(x, dy, w) rtol = 1e-5
    end
end

@testset "bytes kept: $scheme" for (scheme, bytes) in [
    (Exact(), 4 * 64 * 8 * 3),
    (Probe(5), 4 * 5 * 3),
    (Probe(5; projection=:independent), 4 * 5 * 8 * 3),
    (Probe(5; mean=true), 4 * (5 + 8) * 3),
    (Quantize(2), 3 * (64 * 8 ÷ 4 + 2 * 4)),              # two groups of 256: two levels in 4 bytes
    (Quantize(1; group=64), 3 * (64 * 8 ÷ 8 + 8 * 4)),
]
    x = randn(MersenneTwister(6), Float32, 8, 8, 8, 3)
    @test sizeof(XConv.sketch(x, (3, 3, 8, 2); scheme=scheme)) == bytes
end

@testset "numbers that are not finite reach dw" begin
    for value in (NaN32, Inf32), scheme in (Quantize(2), Quantize(8; group=64), Probe(4; bits=2))
        x = randn(MersenneTwister(7), Float32, 8, 8, 2, 2)
        x[3, 4, 1, 2] = value
        s = XConv.sketch(x, (3, 3, 2, 2); scheme=scheme)
        @test any(isnan, XConv.∇conv_filter(s, ones(Float32, 6, 6, 2, 2)))
    end
end

@testset "seeds come from the generator" begin
    x, w = randn(Float32, 6, 6, 2, 2), randn(Float32, 3, 3, 2, 2)
    draw(; kw...) = XConv.sketch(x, w; scheme=Probe(3), kw...)
    Random.seed!(5)
    a, b = draw(), draw()
    Random.seed!(5)
    @test draw().seed == a.seed && draw().seed == b.seed
    @test a.seed != b.seed
    @test draw(rng=MersenneTwister(1)).seed == draw(rng=MersenneTwister(1)).seed
    state = copy(Random.default_rng())
    XConv.sketch(x, w; scheme=Exact())
    @test rand(Random.default_rng(), UInt64) == rand(state, UInt64)
end

@testset "kinds of arrays" begin
    rng = MersenneTwister(6)
    x, w = whole(rng, Float32, 8, 6, 4, 6), whole(rng, Float32, 3, 3, 4, 2)
    same(view_of_x) = XConv.conv(view_of_x, w) == XConv.conv(Array(view_of_x), w)
    @test same(view(x, :, :, :, 2:4))                       # contiguous, read in place
    @test XConv.dense(view(x, :, :, :, 2:4), "x") isa SubArray
    @test same(view(x, 1:2:7, :, :, :))                     # gaps, copied
    @test same(view(x, :, :, 4:-1:1, :))
    @test XConv.dense(view(x, 1:2:7, :, :, :), "x") isa Array
    @test same(PermutedDimsArray(x, (2, 1, 3, 4)))
    @test same(reshape(view(vec(x), 1:length(x)), size(x)))
    @test XConv.conv(x, view(w, :, :, :, 2:-1:1)) == XConv.conv(x, w[:, :, :, 2:-1:1])
    y = XConv.conv(x, w)
    @test XConv.∇conv_filter(x, view(y, :, :, :, :), w) == XConv.∇conv_filter(x, y, w)

    @test_throws ArgumentError XConv.conv(Int32.(x), Int32.(w))
    @test_throws ArgumentError XConv.conv(complex(x), complex(w))
    @test_throws ArgumentError XConv.conv(Float64.(x), w)
end

@testset "wrong input is refused" begin
    x, w = zeros(Float32, 8, 8, 4, 2), zeros(Float32, 3, 3, 4, 2)
    @test_throws DimensionMismatch XConv.conv(x, zeros(Float32, 3, 3, 3, 2))
    @test_throws DimensionMismatch XConv.conv(x, zeros(Float32, 3, 3, 3, 4, 2))
    @test_throws DimensionMismatch XConv.conv(x[:, :, 1, 1], w[:, :, 1, 1])
    @test_throws DimensionMismatch XConv.conv(x, zeros(Float32, 3, 3, 2, 3); groups=2)
    @test_throws DimensionMismatch XConv.conv(x, w, zeros(Float32, 3))
    @test_throws DimensionMismatch XConv.conv(zeros(Float32, 8, 8, 4, 0), w)
    @test_throws ArgumentError XConv.conv(x, w; groups=0)
    @test_throws ArgumentError XConv.conv(x, w; stride=(1, 1, 1))
    @test_throws ArgumentError XConv.conv(x, w; pad=(1, 2, 3))
    @test_throws ArgumentError XConv.conv(x, w, zeros(Float32, 2); bias=zeros(Float32, 2))
    @test_throws ArgumentError XConv.conv(x, w; bias=true)
    @test_throws DimensionMismatch XConv.∇conv_filter(x, zeros(Float32, 8, 8, 2, 2), w)
    @test_throws DimensionMismatch XConv.∇conv_data(zeros(Float32, 8, 8, 2, 2), w, x)
    s = XConv.sketch(x, w; scheme=Probe(2))
    @test_throws DimensionMismatch XConv.∇conv_filter(s, zeros(Float32, 8, 8, 2, 2))
    err = try
        XConv.∇conv_filter(s, zeros(Float64, 6, 6, 2, 2))
    catch err
        err
    end
    @test err isa ArgumentError && occursin("dy is an array of Float64", err.msg)

    # What only the library can know comes back as its status and its words.
    err = try
        XConv.relu!(ones(3); negative_slope=0.1, ceiling=6)
    catch e
        e
    end
    @test err isa XConv.XConvError
    @test err.status === :XCONV_INVALID_ARGUMENT
    @test occursin("ceiling", err.message)
    @test occursin("XCONV_INVALID_ARGUMENT", sprint(showerror, err))
end

@testset "geometry is refused in Julia's words" begin
    x, w = zeros(Float32, 8, 9, 3, 2), zeros(Float32, 3, 3, 3, 4)
    said(w=w; kw...) = said_by(() -> XConv.conv(x, w; kw...))
    @test said(zeros(Float32, 3, 33, 3, 4)) == "w of size (3, 33, 3, 4) is larger than x along " *
        "dimension 2: it covers 33, and the padded x has 9"
    @test said(zeros(Float32, 11, 3, 3, 4); pad=(1, 0, 0, 0)) == "w of size (11, 3, 3, 4) is larger " *
        "than x along dimension 1: it covers 11, and the padded x has 9"
    @test said(; dilation=(1, 5)) == "w of size (3, 3, 3, 4) with dilation=(1, 5) is larger than x " *
        "along dimension 2: it covers 11, and the padded x has 9"
    @test said(; pad=(0, 0, -1, 0)) == "pad must not be negative, got (begin, end) = (0, 0), (-1, 0) along the axes"
    @test said(; pad=-1) == "pad must not be negative, got (begin, end) = (-1, -1), (-1, -1) along the axes"
    @test said(; stride=(1, 0)) == "stride must be at least 1 along every axis, got (1, 0)"
    @test said(; dilation=0) == "dilation must be at least 1 along every axis, got (0, 0)"
    @test size(XConv.conv(x, zeros(Float32, 9, 9, 3, 4); pad=(0, 1, 0, 0))) == (1, 1, 4, 2)
end
