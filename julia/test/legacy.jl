@testset "the original's entry points" begin
    rng = MersenneTwister(1)
    x, w = randn(rng, Float32, 8, 8, 3, 5), randn(rng, Float32, 3, 3, 3, 4)
    for stride in ((1, 1), (2, 2))
        y = XConv.conv(x, w; pad=1, stride=stride)
        reference = XConv.∇conv_filter(x, y, w; pad=1, stride=stride)
        average(draw) = sum(_ -> draw(), 1:1500) / 1500
        error_of(dw) = sqrt(sum(abs2, dw - reference) / sum(abs2, reference))
        Random.seed!(1)
        @test error_of(average(() -> grad_ev(x, y, 16, 3, stride))) < 0.1
        @test error_of(average(() -> grad_ev(XConv.probe_X(x, 16)..., y, w, stride))) < 0.1
    end
    seed, ex = XConv.probe_X(x, 7; rng=MersenneTwister(3))
    @test size(ex) == (5, 7)
    @test ex isa Matrix{Float32}
    s = XConv.sketch(x, w; scheme=Probe(7), seed=seed, pad=1)
    y = XConv.conv(x, w; pad=1)
    @test grad_ev(seed, ex, y, w) == XConv.∇conv_filter(s, y)
    @test_throws DimensionMismatch grad_ev(x, y[1:4, :, :, :], 16, 3)
end

@testset "initXConv and with_override choose the scheme" begin
    @test XConv.override_scheme() === nothing       # loading XConv changes nothing
    initXConv(8, "EVGrad")
    @test XConv.override_scheme() == Probe(8)
    @test XConv.with_override(() -> XConv.override_scheme(), Exact()) === nothing
    initXConv(8, "TrueGrad")
    @test XConv.override_scheme() === nothing
    @test_throws ArgumentError initXConv(8, "EVgrad")
    XConv.with_override(Probe(2)) do
        @test XConv.override_scheme() == Probe(2)
        XConv.with_override(Probe(3)) do
            @test XConv.override_scheme() == Probe(3)
        end
        @test XConv.override_scheme() == Probe(2)
        @test fetch(@async XConv.override_scheme()) === nothing    # this task only
    end
    @test_throws ErrorException XConv.with_override(() -> error("out"), Probe(2))
    @test XConv.override_scheme() === nothing
end
