const CHOICE = Ref(true)
not_constant = true

@testset "functions in models" begin
    of(f, n) = (r = FluxExt.recognise(f, n); r === nothing ? nothing : r.operation)
    @test of(+, 2) isa FluxExt.SumActivation
    @test of((a, b) -> a + b, 2) isa FluxExt.SumActivation
    @test of((a, b) -> a .+ b, 2) isa FluxExt.SumActivation
    @test of((a, b) -> b .+ a, 2) isa FluxExt.SumActivation
    @test of((a, b, c) -> a .+ b .+ c, 3) isa FluxExt.SumActivation
    @test of((a, b) -> relu.(a .+ b), 2).σ === relu
    @test of((a, b) -> relu.(a + b), 2).σ === relu
    @test of(x -> relu.(x), 1).σ === relu
    @test of(Base.Fix1(broadcast, tanh), 1).σ === tanh
    @test of((a, b) -> cat(a, b; dims=3), 2).dims == 3
    @test of(vcat, 2).dims == 1
    @test of(Flux.flatten, 1) isa FluxExt.Flatten
    @test of(x -> reshape(x, :, size(x)[end]), 1) isa FluxExt.Flatten

    # Everything else is left to Zygote.
    scale = 2.0f0
    @test of(identity, 1) === nothing
    @test of((a, b) -> a, 2) === nothing
    @test of((a, b) -> a + a, 2) === nothing
    @test of((a, b) -> a .- b, 2) === nothing
    @test of((a, b) -> a .+ 2 .* b, 2) === nothing
    @test of((a, b) -> cat(b, a; dims=3), 2) === nothing
    @test of(x -> scale .* x, 1) === nothing
    @test of(x -> CHOICE[] ? relu.(x) : x, 1) === nothing       # may change later
    @test of(x -> not_constant ? relu.(x) : x, 1) === nothing
    @test of(x -> x[1] > 0 ? relu.(x) : x, 1) === nothing
    @test of(x -> reshape(x, 5, :), 1) === nothing
    @test of(x -> sum(x), 1) === nothing
    @test of(x -> dropdims(x; dims=(1, 2)), 1) === nothing
    @test of(Dense(2 => 2), 1) === nothing
    @test of(x -> relu.(tanh.(x)), 1) === nothing
end

@testset "a recognised function does what it did" begin
    x = randn(Float32, 4, 3, 2, 2)
    for f in (x -> relu.(x), x -> tanh.(x), Flux.flatten)
        @test agree(Chain(f), xconv(Chain(f), Exact()), x)
        @test exact(xconv(Chain(f), Exact())).layers[1] === f
    end
    # Sizes that broadcast, element types, and anything that is not an array.
    sum_of = XConv.LowMemory(FluxExt.recognise((a, b) -> a .+ b, 2), Exact())
    @test sum_of(ones(2, 3), ones(2)) == fill(2.0, 2, 3)
    @test sum_of(1, 2) == 3
    @test Zygote.gradient((a, b) -> sum(sum_of(a, b)), ones(2, 3), ones(2)) == (ones(2, 3), fill(3.0, 2))
end
