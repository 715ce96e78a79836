weights_of(model, x; seed=1) = (Random.seed!(seed); arrays(Zygote.gradient(m -> sum(abs2, m(x)), model)[1]))
same_arrays(a, b) = length(a) == length(b) && all(map(==, a, b))
about_same(a, b) = length(a) == length(b) && all(map((p, q) -> isapprox(p, q; rtol=1e-3, atol=1e-3), a, b))

@testset "override" begin
    model = Chain(Conv((3, 3), 2 => 3, relu; pad=1), Conv((3, 3), 3 => 4; stride=2, groups=1))
    x = randn(MersenneTwister(1), Float32, 9, 8, 2, 4)
    plain = weights_of(model, x)
    @test same_arrays(plain, weights_of(model, x))                    # off: NNlib as it is
    @test isempty(last(XConv.trace(() -> weights_of(model, x))))

    # Override and conversion draw the same seeds in the same order.
    overridden = XConv.with_override(() -> weights_of(model, x), Probe(4))
    converted = weights_of(xconv(model, Probe(4); skip_first=false), x)
    @test about_same(overridden, converted)
    @test !about_same(overridden, plain)
    @test about_same(XConv.with_override(() -> weights_of(model, x), Exact()), plain)
    @test same_arrays(weights_of(model, x), plain)

    XConv.with_override(Probe(4)) do
        @test about_same(weights_of(model, x), overridden)
        @test same_arrays(XConv.with_override(() -> weights_of(model, x), Exact()), plain)
        @test_throws ErrorException XConv.with_override(() -> error("inside"), Probe(2))
        @test about_same(weights_of(model, x), overridden)
    end
    @test same_arrays(weights_of(model, x), plain)

    initXConv(4, "EVGrad")
    @test about_same(weights_of(model, x), overridden)
    initXConv(4, "TrueGrad")
    @test same_arrays(weights_of(model, x), plain)
end

@testset "override leaves the rest to NNlib" begin
    XConv.with_override(Probe(2)) do
        x, w = randn(Float16, 6, 6, 2, 1), randn(Float16, 3, 3, 2, 2)
        @test Zygote.gradient(w -> sum(NNlib.conv(x, w)), w)[1] isa Array{Float16}
        mixed = Zygote.gradient(w -> sum(NNlib.conv(Float64.(x), w)), Float32.(w))[1]
        @test size(mixed) == size(w)
        c = DenseConvDims(x, w)
        y, back = rrule(Zygote.ZygoteRuleConfig(), NNlib.conv, Float32.(x), Float32.(w), c)
        @test map(unthunk, back(y))[1] === NoTangent()
        @test length(back(y)) == 4
        # 1-D and 3-D, depthwise
        for (xs, ws, groups) in (((7, 2, 2), (3, 2, 2), 1), ((5, 5, 5, 2, 1), (2, 2, 2, 2, 3), 1),
                                 ((6, 6, 4, 2), (3, 3, 1, 8), 4))
            g = Zygote.gradient(w -> sum(NNlib.conv(ones(Float32, xs), w; groups)), ones(Float32, ws))[1]
            @test size(g) == ws
        end
    end
end
