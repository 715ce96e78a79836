@testset "rrule of conv: $name" for (name, xs, ws, kw) in GEOMETRIES
    rng = MersenneTwister(1)
    x, w, b = randn(rng, xs...), randn(rng, ws...), randn(rng, ws[end])
    # Finite differences, composite types of thunks, and the number of tangents.
    test_rrule(XConv.conv, x, w; fkwargs=kw, check_inferred=false)
    test_rrule(XConv.conv, x, w, b; fkwargs=kw, check_inferred=false)
end

@testset "the sketching rule has the expectation of the exact one" begin
    rng = MersenneTwister(2)
    x, w, b = randn(rng, 6, 5, 3, 2), randn(rng, 3, 2, 3, 4), randn(rng, 4)
    y, exact_back = rrule(XConv.conv, x, w, b; pad=1)
    dy = randn(rng, size(y)...)
    _, dx, dw, db = map(unthunk, exact_back(dy))
    draws = map(1:500) do _
        y2, back = rrule(XConv.conv, x, w, b; pad=1, scheme=Probe(4), rng=rng)
        @assert y2 == y
        _, dx2, dw2, db2 = map(unthunk, back(dy))
        @assert dx2 == dx && db2 == db      # these never need x
        dw2
    end
    average = sum(draws) / 500
    deviation = sqrt.(sum(d -> abs2.(d - average), draws) / 499)
    @test maximum(abs, (average - dw) ./ (deviation / sqrt(500))) < 5
end

@testset "good manners of the pullback" begin
    rng = MersenneTwister(3)
    x, w, b = randn(rng, Float32, 6, 5, 3, 2), randn(rng, Float32, 3, 2, 3, 4), randn(rng, Float32, 4)
    for scheme in (Exact(), Probe(4))
        y, back = rrule(XConv.conv, x, w, b; scheme)
        @test occursin("conv_pullback", string(nameof(typeof(back))))
        dy = randn(rng, Float32, size(y)...)
        first_call = map(unthunk, back(dy))
        @test map(unthunk, back(dy)) == first_call            # a second call works
        @test map(unthunk, back(@thunk(dy))) == first_call
        @test length(first_call) == 4 && first_call[1] === NoTangent()
        @test back(dy)[2] isa ChainRulesCore.AbstractThunk     # computed when asked for
        @test back(dy)[3] isa ChainRulesCore.AbstractThunk
        # dy of any kind of array
        flipped_back = reverse(reverse(dy; dims=1); dims=1)
        for kind in (view(dy, :, :, :, :), PermutedDimsArray(permutedims(dy, (2, 1, 3, 4)), (2, 1, 3, 4)),
                     Float64.(dy), flipped_back)
            @test all(map(isapprox, map(unthunk, back(kind))[2:4], first_call[2:4]))
        end
        ones_like = map(unthunk, back(ones(Float32, size(y))))
        fill_like = map(unthunk, back(FluxExt.Zygote.FillArrays.Fill(1.0f0, size(y))))
        @test all(map(isapprox, fill_like[2:4], ones_like[2:4]))
        @test all(d -> d isa AbstractZero, back(ZeroTangent()))
    end
    @test_throws ArgumentError rrule(XConv.conv, x, w; bias=b)
    @test_throws ArgumentError Zygote.gradient(w -> sum(XConv.conv(x, w; bias=b)), w)
    @test Zygote.gradient((w, b) -> sum(XConv.conv(x, w, b)), w, b)[2] ≈ fill(4 * 4 * 2, 4)
    @test Zygote.gradient(w -> sum(XConv.conv(x, w)), w)[1] ≈
          XConv.∇conv_filter(x, ones(Float32, 4, 4, 4, 2), w)
end

@testset "primitives of layers against finite differences" begin
    rng = MersenneTwister(4)
    x = randn(rng, 5, 4, 3, 2)
    E = FluxExt
    rule(args...; kw...) = test_rrule(args...; check_inferred=false, kw...)
    nothing_of(v) = v ⊢ NoTangent()
    rule(E.flattened, x)
    rule(E.summed, x, randn(rng, size(x)...), randn(rng, size(x)...))
    rule(E.concatenated, nothing_of(3), x, randn(rng, 5, 4, 2, 2))
    rule(E.concatenated, nothing_of((1, 2)), x, randn(rng, 2, 3, 3, 2))
    rule(E.fresh, x)
    rule(E.max_pool, x, nothing_of((2, 2)), nothing_of((1, 0)), nothing_of((2, 1)))
    rule(E.mean_pool, x, nothing_of((2, 2)), nothing_of((1, 0)), nothing_of((2, 1)))
    rule(E.mean_pool, x, nothing_of((5, 4)), nothing_of((0, 0)), nothing_of((5, 4)))
    for layer in (BatchNorm(3), InstanceNorm(3; affine=true), GroupNorm(3, 3), GroupNorm(3, 1))
        rule(E.normalised, nothing_of(layer), nothing_of(Exact()), x, randn(rng, 3), randn(rng, 3);
            atol=1e-6, rtol=1e-6)
    end
    rule(E.normalised, nothing_of(LayerNorm(5, 4)), nothing_of(Exact()), x, randn(rng, 5, 4), randn(rng, 5, 4))
    rule(E.normalised, nothing_of(InstanceNorm(3)), nothing_of(Exact()), x, nothing_of(nothing), nothing_of(nothing))
end

@testset "the normalised copy packed for $scheme" for (scheme, bytes) in
                                                      ((Probe(2), 2), (Quantize(2), 1), (Probe(2; bits=1), 1))
    x = randn(MersenneTwister(5), Float32, 40, 5)
    Random.seed!(1)
    packed = FluxExt.pack(scheme, x, Float32)
    unpacked() = FluxExt.unpack(FluxExt.pack(scheme, x, Float32), Float32)
    @test sizeof(packed.multiples) == bytes * length(x)
    @test maximum(abs, FluxExt.unpack(packed, Float32) - x) <= packed.step
    # Rounding is random, and right on average: in 400 draws of a step s the mean is
    # off by at most s/2/20 in the mean square.
    draws = [Float64.(unpacked()) for _ in 1:400]
    @test maximum(abs, sum(draws) / 400 - x) < 5 * packed.step / 2 / 20
    @test draws[1] != draws[2]
    @test FluxExt.pack(Exact(), x, Float32) === x
    for bad in (NaN32, Inf32)
        x[3] = bad
        @test isequal(unpacked(), x)
    end
    @test FluxExt.unpack(FluxExt.pack(scheme, zeros(Float32, 3), Float32), Float32) == zeros(3)
end
