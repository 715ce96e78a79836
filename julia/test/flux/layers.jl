# One converted layer at a time against the layer itself. Float64 for the pools of
# several elements: NNlib's tolerance for ties is then out of the way.

@testset "$layer of $(join(size(x), '×'))" for (layer, x) in [
    (Conv((3,), 2 => 4, relu; pad=1), randn(Float32, 9, 2, 3)),
    (Conv((3, 3), 2 => 4, relu; pad=SamePad()), randn(Float32, 9, 8, 2, 3)),
    (Conv((3, 2), 2 => 4, leakyrelu; pad=(1, 0, 2, 1), stride=(2, 1)), randn(Float32, 9, 8, 2, 3)),
    (Conv((3, 3), 4 => 8, relu6; groups=2, dilation=2), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, tanh; bias=false), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, sigmoid), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, elu), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, gelu), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, swish), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, softplus), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, mish), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, v -> v^2 + 1), randn(Float32, 9, 8, 4, 3)),
    (Conv((3, 3), 4 => 8, v -> v^2 + 1), randn(Float32, 9, 8, 4, 3)),
    (DepthwiseConv((3, 3), 4 => 8, relu), randn(Float32, 9, 8, 4, 3)),
    (Conv((2, 3, 2), 2 => 3, relu; pad=1), randn(Float32, 5, 6, 4, 2, 2)),
    (CrossCor((3, 2), 2 => 4, relu; pad=1), randn(Float32, 9, 8, 2, 3)),
    (Dense(6 => 5, relu), randn(Float32, 6, 7)),
    (Dense(6 => 5, relu; bias=false), randn(Float32, 6, 7)),
    (MaxPool((2, 2)), randn(9, 8, 2, 3)),
    (MaxPool((3, 2); pad=(1, 0), stride=2), randn(9, 8, 2, 3)),
    (MaxPool((2, 2, 2)), randn(4, 6, 4, 2, 3)),
    (AdaptiveMaxPool((3, 4)), randn(9, 8, 2, 3)),
    (GlobalMaxPool(), randn(9, 8, 2, 3)),
    (MeanPool((2, 2)), randn(Float32, 9, 8, 2, 3)),
    (MeanPool((3, 2); pad=(1, 0), stride=2), randn(Float32, 9, 8, 2, 3)),
    (AdaptiveMeanPool((3, 4)), randn(Float32, 9, 8, 2, 3)),
    (GlobalMeanPool(), randn(Float32, 9, 8, 2, 3)),
    (BatchNorm(4), randn(Float32, 5, 4, 4, 3)),
    (BatchNorm(4, relu), randn(Float32, 5, 4, 4, 3)),
    (BatchNorm(4, gelu; affine=false), randn(Float32, 5, 4, 4, 3)),
    (BatchNorm(4; track_stats=false), randn(Float32, 4, 9)),
    (InstanceNorm(4, relu; affine=true, track_stats=true), randn(Float32, 5, 4, 4, 3)),
    (InstanceNorm(4), randn(Float32, 5, 4, 4, 3)),
    (GroupNorm(4, 2, relu), randn(Float32, 5, 4, 4, 3)),
    (LayerNorm(5, 4), randn(Float32, 5, 4, 3, 2)),
    (LayerNorm(5, relu), randn(Float32, 5, 6)),
    (LayerNorm(5, tanh; affine=false), randn(Float32, 5, 6)),
    (Flux.flatten, randn(Float32, 5, 4, 3, 2)),
    (SkipConnection(Conv((3, 3), 2 => 2; pad=1), +), randn(Float32, 5, 4, 2, 3)),
    (SkipConnection(Conv((3, 3), 2 => 3; pad=1), (a, b) -> cat(a, b; dims=3)), randn(Float32, 5, 4, 2, 3)),
    (Parallel(+, Conv((3, 3), 2 => 2; pad=1), identity), randn(Float32, 5, 4, 2, 3)),
    (Parallel(vcat, a=Dense(4 => 3), b=Dense(4 => 2)), randn(Float32, 4, 3)),
]
    original = Flux.f64(layer)
    x = Float64.(x)
    foreach(p -> p .= randn(MersenneTwister(1), size(p)...), Flux.trainables(original))
    model = Chain(original)
    converted = xconv(deepcopy(model), Exact())
    @test any(m -> m isa XConv.LowMemory, [converted.layers[1]; Flux.modules(converted)])
    @test agree(model, converted, x; rtol=1e-9)
    # Running statistics too.
    @test all(map(isapprox, arrays(Flux.state(model)), arrays(Flux.state(converted))))
    @test converted(x) ≈ model(x)                          # outside a gradient
    @test Flux.outputsize(converted, size(x)) == Flux.outputsize(model, size(x))

    # In Float32 as well, where the library takes other ways.
    if layer isa Union{Conv,CrossCor,BatchNorm,MeanPool}
        model32, converted32 = Flux.f32(model), Flux.f32(converted)
        @test agree(model32, converted32, Float32.(x); rtol=2e-3)
    end
end

@testset "MaxPool keeps NNlib's choice among near ties" begin
    x = relu.(randn(MersenneTwister(1), Float32, 28, 28, 8, 16))
    for layer in (MaxPool((2, 2)), MaxPool((3, 3); stride=2, pad=1))
        @test agree(Chain(layer), xconv(Chain(layer), Exact()), x; rtol=1e-6)
    end
end

@testset "Dropout draws Flux's masks again" begin
    x = randn(Float32, 20, 10)
    for layer in (Dropout(0.3), Dropout(0.3; dims=1), Dropout(0.5; rng=MersenneTwister(1)))
        converted = xconv(deepcopy(Chain(layer)), Exact())
        Random.seed!(1)
        a = model_gradient(Chain(layer), x)
        Random.seed!(1)
        b = model_gradient(converted, x)
        @test a[1] == b[1] && a[3] ≈ b[3]
        @test converted(x) == x
        Flux.testmode!(converted)
        @test model_gradient(converted, x)[1] == x
        Flux.trainmode!(converted)
        @test converted(x) != x
    end
end

@testset "what the library cannot do, the layer does" begin
    conv = Conv((3, 3), 2 => 3, relu)
    converted = xconv(Chain(conv), Probe(3); skip_first=false)
    x16 = randn(Float16, 6, 6, 2, 1)
    @test Flux.f16(converted)(x16) ≈ Flux.f16(Chain(conv))(x16)
    @test converted(rand(0:5, 6, 6, 2, 1)) isa Array{Float32}
    @test_throws DimensionMismatch converted(randn(Float32, 6, 6, 3, 1))
    @test_throws DimensionMismatch converted(randn(Float32, 6, 6))
    @test_throws DimensionMismatch xconv(Chain(BatchNorm(3)), Exact())(randn(Float32, 4, 4, 2, 1))
end

@testset "empty batches: $layer" for layer in (MaxPool((2, 2)), AdaptiveMaxPool((3, 3)), GlobalMaxPool())
    x = zeros(Float32, 8, 8, 2, 0)
    converted = xconv(Chain(layer), Exact())
    @test size(converted(x)) == size(layer(x))
    @test size(gradient(z -> sum(converted(z)), x)[1]) == size(x)
end
