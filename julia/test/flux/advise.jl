"""Sum over convolutions of the relative variance of their gradients, of 60 draws."""
function variance_of(converted, model, loss, x, y)
    dw(m) = (g = Zygote.gradient(m -> loss(m, x, y), Flux.testmode!(deepcopy(m), :auto))[1];
        filter(a -> ndims(a) == 4, arrays(g)))
    Random.seed!(7)
    reference = dw(model)
    draws = [dw(converted) for _ in 1:60]
    return sum(eachindex(reference)) do i
        sum(d -> sum(abs2, d[i] - reference[i]), draws) / 60 / sum(abs2, reference[i])
    end
end

"""Without Dropout, so that only sketches are random."""
quiet_net() = Chain(Conv((3, 3), 1 => 8, relu; pad=1), BatchNorm(8), Conv((3, 3), 8 => 8, relu; pad=1),
    MaxPool((2, 2)), Flux.flatten, Dense(128 => 2))

@testset "advice on a model" begin
    x, y = stripes(MersenneTwister(1), 32)
    Random.seed!(4)
    model = quiet_net()
    μ = copy(model[2].μ)
    loss(m, x, y) = Flux.logitcrossentropy(m(x), y)
    kept(m) = XConv.kept_bytes(Zygote.pullback(m -> loss(m, x, y), m)[2]; except=(m, x, y))
    kw = (seconds=20, draws=3, skip_first=false)
    generous = XConv.advise(model, (x, y), loss; budget=10^9, kw...)
    @test [r.scheme for r in generous] == [Exact(), Exact()]
    @test sum(r -> r.noise, generous) == 0
    @test model[2].μ == μ                               # looking changes nothing

    # Uniform choices, and what they cost by the same measurement.
    for uniform in (Quantize(2), Quantize(4), Probe(16; mean=true))
        budget = kept(xconv(model, uniform; skip_first=false))
        advice = XConv.advise(model, (x, y), loss; budget, kw...)
        @test XConv.total_bytes(advice) <= budget
        converted = xconv(model, advice)
        @test kept(converted) <= budget
        noise(m) = variance_of(m, model, loss, x, y)
        @test noise(converted) <= 1.25 * noise(xconv(model, uniform; skip_first=false))
        @test [m.scheme for m in Flux.modules(converted) if FluxExt.is_convolution(m)] ==
              [r.scheme for r in advice]
    end

    tight = XConv.advise(model, (x, y), loss; budget=kept(xconv(model, Quantize(2))), kw..., skip_first=true)
    @test tight[1].scheme == Exact()                    # the data is in memory anyway
    trained = xconv(deepcopy(model), tight)
    before = loss(trained, x, y)
    @test train_steps!(trained, x, y; steps=15) < before / 2

    # Without the first convolution, the second is not the first.
    rest = XConv.advise(model, (x, y), loss; budget=10^9, kw..., skip_first=true, select=l -> l !== model[1])
    @test length(rest) == 1 && rest[1].kept_bytes > 0
    @test startswith(rest[1].layer, "model[3] Conv(")
    @test [first(split(r.layer, ' ')) for r in generous] == ["model[1]", "model[3]"]
    @test xconv(model, rest; select=l -> l !== model[1])[3].scheme == rest[1].scheme

    text = sprint(show, MIME("text/plain"), tight)
    @test occursin("Conv((3, 3), 8 => 8", text) && occursin(string(tight[2].scheme), text)
    err = try
        XConv.advise(model, (x, y), loss; budget=10, kw...)
    catch e
        e
    end
    @test err isa ArgumentError && occursin("budget = 10", err.msg)
    @test_throws ArgumentError XConv.advise(Chain(Dense(2 => 2)), x, (m, x) -> sum(m(x)); budget=10)
end

@testset "a scheme for every convolution" begin
    model = mnist_net()
    schemes = [Exact(), Quantize(2), Probe(8)]
    converted = xconv(model, schemes)
    @test [converted[i].scheme for i in (1, 3, 5)] == schemes
    @test_throws ArgumentError xconv(model, schemes[1:2])
    @test_throws ArgumentError xconv(model, [schemes; Exact()])
    @test [xconv(converted, reverse(schemes))[i].scheme for i in (1, 3, 5)] == reverse(schemes)
end

@testset "the best use of a budget" begin
    choice(bytes, noise) = FluxExt.Choice((Quantize(2), bytes, noise))
    # Against trying everything.
    rng = MersenneTwister(1)
    for _ in 1:50
        lists = [FluxExt.pareto([choice(rand(rng, 1:100), rand(rng)) for _ in 1:6]) for _ in 1:3]
        budget = rand(rng, sum(l -> l[1].bytes, lists):250)
        best = minimum(sum(c -> c.noise, cs) for cs in Iterators.product(lists...)
                       if sum(c -> c.bytes, cs) <= budget)
        picked = FluxExt.knapsack(lists, budget)
        @test sum(c -> c.bytes, picked) <= budget
        @test sum(c -> c.noise, picked) ≈ best
    end
    # A layer that is called twice keeps twice as much.
    advice = XConv.Advice([XConv.AdviceRow((Quantize(2), 10, 4.0, 0.1, 1.0, true, false))], 1.0, 100)
    @test FluxExt.choices_of([(advice, 1.0), (advice, 3.0)]) == [choice(20, 4.0)]
end
