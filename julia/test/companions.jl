@testset "relu in one bit: $T" for T in (Float32, Float64)
    rng = MersenneTwister(1)
    for n in (0, 1, 7, 8, 9, 1000)
        x, dy = randn(rng, T, n), randn(rng, T, n)
        for (slope, ceiling) in ((0, Inf), (0.25, Inf), (0, 0.5))
            y = copy(x)
            mask = XConv.relu!(y; negative_slope=slope, ceiling=ceiling, keep=true)
            @test y == min.(ifelse.(x .> 0, x, T(slope) .* x), T(ceiling))
            @test sizeof(mask.bits) == cld(n, 8)
            inside = (x .> 0) .& (x .< ceiling)
            @test XConv.∇relu(mask, dy) == ifelse.(inside, dy, T(slope) .* dy)
        end
        y = copy(x)
        @test XConv.relu!(y) === nothing
        @test y == max.(x, 0)
    end
    @test_throws XConv.XConvError XConv.relu!(ones(T, 3); negative_slope=0.1, ceiling=6)
    mask = XConv.relu!(ones(T, 3); keep=true)
    @test_throws DimensionMismatch XConv.∇relu(mask, ones(T, 30))
end

const POOLS = [
    ((9, 2, 3), (2,), NamedTuple()),
    ((9, 8, 3, 2), (2, 2), NamedTuple()),
    ((9, 8, 3, 2), (3, 2), (stride=(2, 1), pad=(1, 0))),
    ((7, 7, 2, 2), (3, 3), (stride=2, pad=(1, 0, 0, 1))),
    ((6, 5, 4, 2, 2), (2, 2, 2), (stride=1,)),
    ((5, 6, 3, 2), (5, 6), NamedTuple()),
]

@testset "max pooling: $xs by $k" for (xs, k, kw) in POOLS
    rng = MersenneTwister(2)
    x = whole(rng, Float32, xs...)                  # many ties
    N = length(k)
    stride = XConv.per_axis(Val(N), get(kw, :stride, k), "stride")
    pad_begin, pad_end = XConv.split_pad(Val(N), get(kw, :pad, 0))
    y, index = XConv.maxpool(x, k; keep=true, kw...)
    dy = whole(rng, Float32, size(y)...)
    oracle_y, oracle_dx = oracle_maxpool(x, k, dy; stride=stride, pad_begin=pad_begin, pad_end=pad_end)
    @test y == oracle_y
    @test XConv.∇maxpool(index, dy) == oracle_dx
    @test sizeof(index.bits) <= cld(length(y) * ceil(Int, log2(prod(k))), 8) + 8
    alone, none = XConv.maxpool(x, k; kw...)
    @test alone == y && none === nothing
    @test_throws DimensionMismatch XConv.∇maxpool(index, zeros(Float32, size(y) .+ 1))
end

@testset "max pooling refuses" begin
    x = zeros(Float32, 6, 6, 2, 2)
    @test_throws DimensionMismatch XConv.maxpool(x, (2,))
    said(k; kw...) = said_by(() -> XConv.maxpool(x, k; kw...))
    @test said((2, 7)) == "a window of size (2, 7) is larger than x along dimension 2: it covers 7, and the padded x has 6"
    @test occursin("at least 1", said((0, 2))) && occursin("(0, 2)", said((0, 2)))
    @test occursin("stride", said((2, 2); stride=(1, 0)))
    @test occursin("(0, 0), (0, -1)", said((2, 2); pad=(0, 0, 0, -1)))
    @test occursin("(2, 0) along dimension 1", said((2, 2); pad=(2, 0, 0, 0)))
    @test occursin("(0, 2) along dimension 2", said((2, 2); pad=(0, 0, 0, 2)))
    @test size(first(XConv.maxpool(x, (2, 2); pad=(1, 1, 0, 1)))) == (4, 3, 2, 2)
    # The library's check of the same, for windows that just are allowed and just not.
    for k in 1:4, stride in 1:4, low in 0:4, high in 0:4, n in 1:4
        desc() = XConv.PoolDesc(Float32, (n, 1, 1), (k,); pad=(low, high), stride=stride)
        allowed = said_by(desc) === nothing
        raw = XConv.PoolDesc(sizeof(XConv.PoolDesc), 1, XConv.XCONV_F32, 1, 1, (n, 0, 0), (k, 0, 0),
            (stride, 0, 0), (low, 0, 0), (high, 0, 0))
        @test allowed == (said_by(() -> XConv.query(raw, XConv.XCONV_POOL_INDEX_BYTES)) === nothing)
    end
end
