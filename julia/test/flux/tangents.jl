# Gradients of converted models have the fields of the original's, whoever makes them.

tangent_net() = Chain(Conv((3, 3), 2 => 3, relu; pad=1), SkipConnection(Conv((3, 3), 3 => 3; pad=1), +),
    Parallel(+, Conv((3, 3), 3 => 2), Conv((3, 3), 3 => 2)), x -> relu.(x), Flux.flatten, Dense(32 => 2, relu))
squares(m) = sum(w -> sum(abs2, w), Flux.trainables(m))
close_to(a, b) = isapprox(a, b; rtol=1e-4, atol=1e-4)
all_close(a, b) = length(a) == length(b) && all(map(close_to, a, b))

@testset "gradients have the layer's fields" begin
    x = randn(MersenneTwister(1), Float32, 6, 6, 2, 3)
    model = tangent_net()
    converted = xconv(model, Exact())
    g, c = (Zygote.gradient(m -> sum(abs2, m(x)), m)[1] for m in (model, converted))
    @test keys(c.layers[1]) == keys(g.layers[1])
    @test c.layers[1].weight ≈ g.layers[1].weight
    @test c.layers[3].layers[2].weight ≈ g.layers[3].layers[2].weight
    # Read from the wrapper, from the layer in it, and by a call, all at once.
    read(m) = sum(abs2, m(x)) + sum(abs2, m[1].weight)
    inside(m) = sum(abs2, m(x)) + sum(abs2, m[1].layer.weight)
    reference = arrays(Zygote.gradient(read, model)[1])
    @test all_close(arrays(Zygote.gradient(read, converted)[1]), reference)
    @test all_close(arrays(Zygote.gradient(inside, converted)[1]), reference)
end

@testset "regularisers over trainables" begin
    x = randn(MersenneTwister(2), Float32, 6, 6, 2, 3)
    loss(m) = sum(abs2, m(x)) + squares(m)
    model = tangent_net()
    reference = arrays(Zygote.gradient(loss, model)[1])
    @test all_close(arrays(Zygote.gradient(loss, xconv(model, Exact()))[1]), reference)

    # A penalty adds 2w to the gradient of every scheme; Flux itself fails with BatchNorm.
    normed = Chain(Conv((3, 3), 2 => 3), BatchNorm(3, relu), Conv((3, 3), 3 => 2), Flux.flatten)
    for scheme in (Exact(), Quantize(2), Probe(4))
        sketched = xconv(normed, scheme; skip_first=false)
        gradient_of(f) = (Random.seed!(1); arrays(Zygote.gradient(f, sketched)[1]))
        @test all_close(gradient_of(loss),
            gradient_of(m -> sum(abs2, m(x))) .+ 2 .* Flux.trainables(sketched))
    end
    # Thrown away, such a gradient would leave the weights as they are.
    state = Flux.setup(Flux.Descent(0.1), xconv(model, Exact()))
    moved = xconv(deepcopy(model), Exact())
    Flux.update!(state, moved, Flux.gradient(squares, moved)[1])
    @test all(map((a, b) -> a ≈ 0.8 .* b, Flux.trainables(moved), Flux.trainables(model)))
end

@testset "through destructure" begin
    x = randn(MersenneTwister(3), Float32, 6, 6, 2, 3)
    normed = Chain(Conv((3, 3), 2 => 3), BatchNorm(3, relu), Conv((3, 3), 3 => 2), Flux.flatten)
    through(m) = ((v, rebuild) = Flux.destructure(m); Zygote.gradient(v -> sum(abs2, rebuild(v)(x)), v)[1])
    flat(m) = sum(abs2, m(x)) + sum(abs2, Flux.destructure(m)[1])
    for model in (tangent_net(), normed)
        converted = xconv(model, Exact())
        @test close_to(through(converted), through(model))
        @test all_close(arrays(Zygote.gradient(flat, converted)[1]), arrays(Zygote.gradient(flat, model)[1]))
    end
end

@testset "a layer that is used twice counts twice" begin
    x = randn(MersenneTwister(4), Float32, 6, 6, 2, 3)
    for shared in (Conv((3, 3), 2 => 2, tanh; pad=1), BatchNorm(2, tanh))
        model = Chain(Conv((1, 1), 2 => 2), shared, Conv((1, 1), 2 => 2), shared)
        @test agree(model, xconv(model, Exact()), x)
    end
end

@testset "a wrapper made inside a gradient" begin
    x = randn(MersenneTwister(5), Float32, 6, 6, 2, 3)
    w = randn(MersenneTwister(6), Float32, 3, 3, 2, 4)
    loss(wrap) = w -> sum(abs2, wrap(Conv(w, false))(x))
    @test close_to(Zygote.gradient(loss(l -> XConv.LowMemory(l, Exact())), w)[1], Zygote.gradient(loss(identity), w)[1])
end
