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
    @test_throws XConv.XConvError XConv.maxpool(x, (7, 7))
end
