"""Two classes of noisy stripes, horizontal and vertical."""
function stripes(rng, n)
    labels = rand(rng, 0:1, n)
    x = randn(rng, Float32, 8, 8, 1, n)
    for i in 1:n, a in 1:2:8
        labels[i] == 0 ? (x[a, :, 1, i] .+= 1) : (x[:, a, 1, i] .+= 1)
    end
    return x, Flux.onehotbatch(labels, 0:1)
end

function train_steps!(model, x, y; steps, seed=1, rule=Flux.Adam(1e-2))
    Random.seed!(seed)
    state = Flux.setup(rule, model)
    for _ in 1:steps
        g = Flux.gradient(m -> Flux.logitcrossentropy(m(x), y), model)[1]
        Flux.update!(state, model, g)
    end
    return Flux.logitcrossentropy(model(x), y)
end

striped_net() = Chain(Conv((3, 3), 1 => 8, relu; pad=1), BatchNorm(8), Conv((3, 3), 8 => 8, relu; pad=1),
    MaxPool((2, 2)), Flux.flatten, Dropout(0.1), Dense(128 => 2))

@testset "training works, is reproducible, and Exact() is the original" begin
    x, y = stripes(MersenneTwister(1), 64)
    start = striped_net()
    trained(model, seed=1) = (m = deepcopy(model); loss = train_steps!(m, x, y; steps=15, seed); (m, loss))
    original, loss = trained(start)
    before = Flux.logitcrossentropy(start(x), y)
    @test loss < before / 2
    converted, exact_loss = trained(xconv(start, Exact()))
    @test exact_loss ≈ loss rtol = 1e-2
    @test original[1].weight ≈ converted[1].weight rtol = 1e-2
    @test original[2].μ ≈ converted[2].μ rtol = 1e-2

    sketched = xconv(start, Probe(32))
    m1, loss1 = trained(sketched)
    m2, _ = trained(sketched)
    m3, _ = trained(sketched, 2)
    @test loss1 < before / 2
    @test all(map(==, Flux.trainables(m1), Flux.trainables(m2)))   # Random.seed! decides
    @test any(map(!=, Flux.trainables(m1), Flux.trainables(m3)))
end

@testset "gradients are unbiased through a network" begin
    x, y = stripes(MersenneTwister(2), 8)
    model = Chain(Conv((3, 3), 1 => 4, relu; pad=1), Conv((3, 3), 4 => 3, relu; pad=1, stride=2),
        Flux.flatten, Dense(48 => 2))
    loss(m) = Flux.logitcrossentropy(m(x), y)
    reference = arrays(Zygote.gradient(loss, model)[1])
    for scheme in (Probe(8), Probe(2; projection=:independent), Probe(8; projection=:orthogonal),
                   Quantize(1), Probe(4; projection=:independent, mean=true, bits=2, group=16))
        sketched = xconv(model, scheme; skip_first=false)
        Random.seed!(3)
        draws = [arrays(Zygote.gradient(loss, sketched)[1]) for _ in 1:400]
        for (i, g) in enumerate(reference)
            average = sum(d -> d[i], draws) / 400
            deviation = sqrt.(sum(d -> abs2.(d[i] - average), draws) / 399)
            # What never needed x does not vary at all, but for rounding.
            @test all(abs.(average - g) .<= 5 .* deviation ./ 20 .+ 1e-5)
        end
        @test any(draws[1][1] .!= draws[2][1])
    end
end

@testset "the optimiser's state goes on across conversions" begin
    x, y = stripes(MersenneTwister(3), 16)
    gradient_of(m) = (Random.seed!(1); Flux.gradient(m -> Flux.logitcrossentropy(m(x), y), m)[1])
    plain = striped_net()
    switching = deepcopy(plain)
    plain_state, state = Flux.setup(Flux.Adam(1e-2), plain), Flux.setup(Flux.Adam(1e-2), switching)
    for step in 1:6
        Flux.update!(plain_state, plain, gradient_of(plain))
        step == 3 && (switching = xconv(switching, Exact()))
        step == 5 && (switching = exact(switching))
        Flux.update!(state, switching, gradient_of(switching))
    end
    @test all(map((a, b) -> isapprox(a, b; rtol=1e-2, atol=1e-4), Flux.trainables(plain), Flux.trainables(switching)))
    Flux.freeze!(state.layers[1])
    frozen = copy(switching[1].weight)
    Flux.update!(state, xconv(switching, Probe(4)), gradient_of(xconv(switching, Probe(4))))
    @test switching[1].weight == frozen
    # A new state of a converted model has the tree of the original's.
    @test typeof(Flux.setup(Flux.Adam(), xconv(plain, Probe(2)))) == typeof(Flux.setup(Flux.Adam(), plain))
end

@testset "Flux.train! takes a converted model" begin
    x, y = stripes(MersenneTwister(4), 16)
    model = xconv(striped_net(), Probe(16))
    before = Flux.logitcrossentropy(model(x), y)
    Flux.train!((m, x, y) -> Flux.logitcrossentropy(m(x), y), model, fill((x, y), 20),
        Flux.setup(Flux.Adam(1e-2), model))
    @test Flux.logitcrossentropy(model(x), y) < before
end
