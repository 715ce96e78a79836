# Converted layers on another device: the arrays of ../devices.jl, with the operations on
# whole arrays that a GPU's arrays have.
using Base.Broadcast: Broadcast, Broadcasted

struct FakeStyle{N} <: Broadcast.AbstractArrayStyle{N} end
FakeStyle{N}(::Val{M}) where {N,M} = FakeStyle{M}()
Base.BroadcastStyle(::Type{<:FakeArray{T,N}}) where {T,N} = FakeStyle{N}()
Base.similar(::Broadcasted{FakeStyle{N}}, ::Type{T}, dims) where {N,T} =
    FakeArray(similar(Array{T}, dims))
behind(a) = on_host(a)
behind(b::Broadcasted) = Broadcast.broadcasted(b.f, map(behind, b.args)...)
Base.copyto!(dest::FakeArray, b::Broadcasted{<:FakeStyle}) =
    (copyto!(dest.data, Broadcast.instantiate(behind(b))); dest)
Base.copyto!(dest::FakeArray, b::Broadcasted{<:Broadcast.AbstractArrayStyle{0}}) =
    (copyto!(dest.data, b); dest)
Base.map!(f, dest::FakeArray, a::FakeArray) = (map!(f, dest.data, a.data); dest)
Base.fill!(a::FakeArray, v) = (fill!(a.data, v); a)
Base.copy(a::FakeArray) = FakeArray(copy(a.data))
again(a::Array) = FakeArray(a)
again(a) = a
Base.mapreduce(f, op, a::FakeArray; kw...) = again(mapreduce(f, op, a.data; kw...))
Base.:*(a::FakeArray{T,2}, b::FakeArray{T,2}) where {T} = FakeArray(a.data * b.data)

to_fake(model) = Functors.fmap(a -> a isa Array{<:AbstractFloat} ? FakeArray(copy(a)) : a, model)

@testset "layers on another device: $layer" for layer in (
    Conv((3, 3), 4 => 6, relu; pad=1), Conv((3, 3), 4 => 6, tanh), Conv((3, 3), 4 => 6, gelu; stride=2),
    MaxPool((2, 2)), BatchNorm(4, relu), InstanceNorm(4; affine=true, track_stats=true), GroupNorm(4, 2),
    LayerNorm(8), SkipConnection(Conv((3, 3), 4 => 4; pad=1), +), x -> relu.(x), Flux.flatten)
    x = randn(MersenneTwister(1), Float32, 8, 6, 4, 3)
    model = xconv(Chain(layer), Probe(5; bits=8); skip_first=false)
    there = to_fake(model)
    result(m, x) = (Random.seed!(2); model_gradient(m, x))
    y, dm, dx = result(model, x)
    fy, fdm, fdx = result(there, FakeArray(copy(x)))
    @test fy isa FakeArray && Array(fy) ≈ y
    @test fdx isa FakeArray && Array(fdx) ≈ dx
    @test length(fdm) == length(dm) && all(map((a, b) -> a isa FakeArray && Array(a) ≈ b, fdm, dm))
    kept(m, x) = XConv.kept_bytes(Zygote.pullback((m, x) -> m(x), m, x)[2]; except=(m, x))
    @test kept(there, FakeArray(copy(x))) == kept(model, x)
end

@testset "dropout on another device" begin
    x = FakeArray(ones(Float32, 50, 40))
    for (dims, chances) in ((:, 2000), (1, 50))
        model = to_fake(xconv(Chain(Dropout(0.25; dims)), Exact()))
        y, back = Zygote.pullback((m, x) -> m(x), model, x)
        @test all(v -> v == 0 || v ≈ 1 / 0.75, Array(y))
        # Kept with a chance of 3/4, to five standard deviations.
        @test abs(sum(Array(y)) * 0.75 / length(y) - 0.75) < 5 * sqrt(0.1875 / chances)
        @test Array(back(x)[2]) == Array(y)            # the same mask on the way back
        @test XConv.kept_bytes(back; except=(model, x)) == 0
        @test Array(Zygote.pullback((m, x) -> m(x), model, x)[1]) != Array(y)
    end
end

@testset "a network trains on another device" begin
    x, y = stripes(MersenneTwister(1), 16)
    net = Chain(Conv((3, 3), 1 => 6, relu; pad=1), Conv((3, 3), 6 => 6, relu; pad=1),
        MaxPool((2, 2)), Conv((4, 4), 6 => 2), Flux.flatten)
    fx, labels = FakeArray(x), FakeArray(Float32.(Array(y)))
    loss(m, x, y) = sum((m(x) .- y) .^ 2)
    model = to_fake(xconv(net, Quantize(2)))
    before = loss(model, fx, labels)
    @test before ≈ loss(net, x, labels.data)
    state = Flux.setup(Flux.Adam(1e-2), model)
    for _ in 1:15
        Flux.update!(state, model, Flux.gradient(m -> loss(m, fx, labels), model)[1])
    end
    @test loss(model, fx, labels) < before / 2
    @test all(p -> p isa FakeArray, Flux.trainables(model))
end
