isconverted(layer) = layer isa XConv.LowMemory

@testset "parameters are the very same arrays" begin
    model = mnist_net()
    converted = xconv(model, Probe(8))
    @test all(map(===, Flux.trainables(model), Flux.trainables(converted)))
    @test [isconverted(l) for l in converted.layers] == [trues(7); false]
    @test converted.layers[1].scheme == Exact()              # the data is in memory anyway
    @test converted.layers[3].scheme == Probe(8)
    @test xconv(model, Probe(8); skip_first=false).layers[1].scheme == Probe(8)
    @test converted.layers[3].weight === model.layers[3].weight

    only_pools = @test_logs (:warn, r"`select` leaves them all") xconv(model, Probe(8); select=l -> l isa MaxPool)
    @test findall(isconverted, collect(only_pools.layers)) == [2, 4, 6]

    back = exact(converted)
    @test !any(isconverted, Flux.modules(back))
    @test all(map(===, back.layers, model.layers))
    @test exact(model) === model
end

@testset "the first convolution is the model's, selected or not" begin
    model = mnist_net()
    but_first = l -> l !== model[1]
    converted = xconv(model, Probe(8); select=but_first)
    @test converted[1] === model[1]
    @test converted[3].scheme == converted[5].scheme == Probe(8)
    but_second = xconv(model, Probe(8); select=l -> l !== model[3])
    @test but_second[1].scheme == Exact() && but_second[5].scheme == Probe(8)
    # Once more, on what is converted already; a layer that occurs twice is one.
    @test xconv(converted, Probe(4); select=but_first)[3].scheme == Probe(4)
    conv = Conv((3, 3), 1 => 1)
    @test all(l -> l.scheme == Exact(), xconv(Chain(conv, conv, Conv((3, 3), 1 => 1)), Probe(2))[1:2])
    schemes = [Quantize(2), Quantize(4)]
    @test [l.scheme for l in xconv(model, schemes; select=but_first)[[3, 5]]] == schemes
end

@testset "a scheme that no convolution keeps is told of" begin
    conv = Conv((3, 3), 3 => 4)
    @test_logs (:warn, r"Probe\(8\): the first stays exact.*skip_first=false") xconv(conv, Probe(8))
    @test_logs (:warn, r"Probe\(8\): the first") xconv(Chain(conv, conv), Probe(8))
    @test_logs (:warn, r"the model has none") xconv(Chain(Dense(2 => 3)), Probe(8))
    @test_logs (:warn, r"the model has none") xconv(rand(3), Probe(8))
    @test_logs xconv(conv, Probe(8); skip_first=false)
    @test_logs xconv(conv, Exact())
    @test_logs xconv(Chain(conv, Conv((1, 1), 4 => 2)), Probe(8))
end

@testset "changing r keeps parameters and the optimiser's state" begin
    model = xconv(mnist_net(), Probe(8))
    other = xconv(model, Probe(32))
    @test other.layers[3].scheme == Probe(32) && other.layers[1].scheme == Exact()
    @test all(map(===, Flux.trainables(model), Flux.trainables(other)))
    @test typeof(other) == typeof(model)                     # nothing is compiled anew
    @test xconv(model, Exact()).layers[3].scheme == Exact()
end

@testset "nested, shared and user-made" begin
    shared = Conv((3, 3), 2 => 2; pad=1)
    model = Chain(Conv((1, 1), 1 => 2), shared, BatchNorm(2), shared,
        SkipConnection(Chain(shared, Base.Fix1(broadcast, relu)), +),
        TwoPaths(Conv((3, 3), 2 => 3, relu; pad=1), Chain(Conv((1, 1), 2 => 3)), "two"),
        Chain([Conv((3, 3), 3 => 2), MeanPool((2, 2))]), ConvTranspose((2, 2), 2 => 1))
    converted = xconv(model, Probe(4))
    @test converted.layers[2] === converted.layers[4]
    @test converted.layers[6] isa TwoPaths && converted.layers[6].name == "two"
    @test isconverted(converted.layers[6].left)
    @test isconverted(converted.layers[6].right.layers[1])
    @test isconverted(converted.layers[7].layers[1])
    @test converted.layers[8] isa ConvTranspose
    @test length(Flux.trainables(converted)) == length(Flux.trainables(model))
    x = randn(Float32, 8, 8, 1, 3)
    @test agree(model, xconv(model, Exact()), x)
    @test agree(model, exact(converted), x; rtol=0)

    named = Chain(a=Conv((3, 3), 1 => 2), b=BatchNorm(2))
    @test xconv(named, Probe(2))[:b] isa XConv.LowMemory
end

@testset "a struct that takes Flux's types only is left alone" begin
    model = Chain(OnlyConv(Conv((3, 3), 1 => 2)), BatchNorm(2))
    why = r"^OnlyConv is left as it is.* in conv\. .*struct OnlyConv{A} conv::A[^\n]*$"s
    converted = @test_logs (:warn, why) (:warn, r"No convolution") xconv(model, Probe(2))
    @test converted.layers[1] === model.layers[1]
    @test isconverted(converted.layers[2])
    @test size(converted(randn(Float32, 5, 5, 1, 2))) == (3, 3, 2, 2)
end

@testset "Flux's own tools" begin
    model = resnet18(4)
    converted = xconv(model, Probe(4))
    x = randn(Float32, 8, 8, 3, 2)
    @test Flux.outputsize(converted, (8, 8, 3, 2)) == (10, 2)
    @test Flux.state(converted) == Flux.state(model)

    other = xconv(resnet18(4), Probe(4))
    Flux.loadmodel!(other, Flux.state(converted))
    @test all(map(==, Flux.trainables(other), Flux.trainables(converted)))
    plain = resnet18(4)
    Flux.loadmodel!(plain, Flux.state(converted))            # from converted to plain
    @test all(map(==, Flux.trainables(plain), Flux.trainables(converted)))
    Flux.loadmodel!(other, Flux.state(model))                # and the other way round
    @test all(map(==, Flux.trainables(other), Flux.trainables(model)))

    @test Flux.trainables(Flux.f64(converted))[1] isa Array{Float64}
    @test isconverted(Flux.f64(converted).layers[1])
    @test isconverted(Flux.cpu(converted).layers[1])
    @test Flux.destructure(converted)[1] == Flux.destructure(model)[1]
    rebuilt = Flux.destructure(converted)[2](Flux.destructure(model)[1])
    @test isconverted(rebuilt.layers[1])

    @test occursin("xconv(Conv((3, 3), 4 => 4, pad=1, bias=false), Probe(4))",
        sprint(show, MIME("text/plain"), converted))
    @test occursin("parameters", sprint(show, MIME("text/plain"), converted))
    @test occursin("Probe(4)", sprint(show, converted))

    Flux.testmode!(converted)
    @test converted.layers[2].layer.active === false
    @test converted.layers[1].mode.active === false
    Flux.testmode!(converted, :auto)
    @test converted.layers[2].layer.active === nothing
    @test converted.layers[1].mode.active === nothing
end

@testset "settings of the layer are those of the wrapper" begin
    converted = xconv(Chain(Conv((3, 3), 1 => 2), BatchNorm(2), Dropout(0.5)), Exact())
    converted[2].active = true
    @test converted[2].layer.active === true && converted[2].mode.active === true
    @test converted[2].active === true
    converted[2].active = nothing
    @test converted[2].layer.active === nothing && converted[2].mode.active === nothing
    converted[2].momentum = 0.5
    @test converted[2].layer.momentum === 0.5f0
    converted[3].active = false
    @test converted[3](ones(3)) == ones(3)
    @test_throws ArgumentError converted[2].scheme = Probe(2)
    @test_throws Exception converted[1].active = true           # Conv has none
    @test converted[1].mode.active === nothing
end

@testset "printed is what is kept" begin
    bn = BatchNorm(16, relu)
    @test repr(XConv.LowMemory(bn, Quantize(2))) == "xconv(BatchNorm(16, relu), 8 bits)"
    @test repr(XConv.LowMemory(bn, Probe(4; bits=2))) == "xconv(BatchNorm(16, relu), 8 bits)"
    @test repr(XConv.LowMemory(bn, Probe(4))) == "xconv(BatchNorm(16, relu), 16 bits)"
    @test repr(XConv.LowMemory(bn, Exact())) == "xconv(BatchNorm(16, relu))"
end

@testset "arguments that are none" begin
    conv = Conv((3, 3), 1 => 2)
    said(args...) = try
        xconv(args...)
    catch err
        err isa ArgumentError ? err.msg : rethrow()
    end
    @test endswith(said(conv, 2), "the second argument is a Int64")
    @test endswith(said(conv, Probe), "a scheme has arguments: Probe is a type")
    @test endswith(said(Quantize(2), conv), "the model comes first, before the Quantize")
    @test endswith(said(conv), "it got 1 arguments")
    @test !any(a -> occursin("using Flux", said(a...)), [(conv, 2), (conv, Probe), (Quantize(2), conv), ()])
    @test_throws ArgumentError exact(conv, conv)
    @test_throws r"it got Int64" memory_report(2)
    @test_throws r"it got Int64" XConv.advise(2)
end

@testset "save and load" begin
    converted = xconv(mnist_net(), Probe(5))
    file = tempname()
    Serialization.serialize(file, converted)
    loaded = Serialization.deserialize(file)
    x = randn(Float32, 28, 28, 1, 2)
    @test loaded(x) == converted(x)
    @test loaded.layers[3].scheme == Probe(5)
    rm(file)
end

@testset "no sketch outside training" begin
    model = xconv(Chain(Conv((3, 3), 2 => 3)), Probe(2); skip_first=false)
    x = randn(Float32, 6, 6, 2, 2)
    passes(f) = [c.pass for c in last(XConv.trace(f))]
    @test passes(() -> model(x)) == [:forward]
    Flux.testmode!(model)
    exact_dw = Zygote.gradient(w -> sum(abs2, XConv.conv(x, w)), model.layers[1].weight)[1]
    g = Zygote.gradient(m -> sum(abs2, m(x)), model)[1]
    @test arrays(g)[1] ≈ exact_dw
    Flux.trainmode!(model)
    g = Zygote.gradient(m -> sum(abs2, m(x)), model)[1]
    @test !(arrays(g)[1] ≈ exact_dw)
end
