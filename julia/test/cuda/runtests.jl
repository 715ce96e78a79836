# On a GPU: CuArrays through everything that the CPU does, CPU against GPU. Included by
# runtests.jl where CUDA.jl, a GPU and a libxconv with a CUDA backend are.
using CUDA

on_gpu(a) = CuArray(a)
close_to(gpu, cpu; rtol=1e-4) = isapprox(Array(gpu), cpu; rtol=rtol, atol=rtol * maximum(abs, cpu))
CUDA.allowscalar(false)

@testset "CuArrays: $name, $scheme" for (name, xs, ws, kw) in GEOMETRIES,
                                        scheme in [SCHEMES[1:3:end]; Quantize(2); Exact()]
    rng = MersenneTwister(1)
    x, w, b = randn(rng, Float32, xs...), randn(rng, Float32, ws...), randn(rng, Float32, ws[end])
    y, s = XConv.conv_sketch(x, w, b; scheme=scheme, seed=5, kw...)
    gy, gs = XConv.conv_sketch(on_gpu(x), on_gpu(w), on_gpu(b); scheme=scheme, seed=5, kw...)
    @test gy isa CuArray{Float32} && gs.data isa CuArray{UInt8} && sizeof(gs) == sizeof(s)
    @test close_to(gy, y)
    dw = XConv.∇conv_filter(gs, on_gpu(y))
    # A number just at a level may be rounded to its other neighbour, but for ±1 probes.
    scheme isa Exact || (scheme isa Probe && scheme.bits == 0) ?
        (@test close_to(dw, XConv.∇conv_filter(s, y))) : (@test all(isfinite, Array(dw)))
    @test close_to(XConv.∇conv_filter(on_gpu(x), on_gpu(y), on_gpu(w); kw...), XConv.∇conv_filter(x, y, w; kw...))
    @test close_to(XConv.∇conv_data(on_gpu(y), on_gpu(w), on_gpu(x); kw...), XConv.∇conv_data(y, w, x; kw...))
    @test close_to(XConv.∇conv_bias(on_gpu(y), gs.plan), XConv.∇conv_bias(y, s.plan))
end

@testset "whole numbers agree exactly, whichever device contracts" begin
    rng = MersenneTwister(2)
    x, w = whole(rng, Float32, 9, 8, 4, 6), (3, 3, 4, 5)
    dy = whole(rng, Float32, 7, 6, 5, 6)
    s = XConv.sketch(x, w; scheme=Probe(4), seed=1)
    gs = XConv.sketch(on_gpu(x), w; scheme=Probe(4), seed=1)
    @test Array(gs.data) == s.data
    @test Array(XConv.∇conv_filter(gs, on_gpu(dy))) == XConv.∇conv_filter(s, dy)
    moved = XConv.Sketch(on_gpu(s.data), s.seed, gs.plan)
    @test Array(XConv.∇conv_filter(moved, on_gpu(dy))) == XConv.∇conv_filter(s, dy)
end

@testset "relu and max pooling" begin
    x = whole(MersenneTwister(3), Float32, 9, 8, 3, 4)
    y, index = XConv.maxpool(x, (2, 2); keep=true)
    gy, gindex = XConv.maxpool(on_gpu(x), (2, 2); keep=true)
    @test Array(gy) == y && Array(gindex.bits) == index.bits
    @test Array(XConv.∇maxpool(gindex, gy)) == XConv.∇maxpool(index, y)
    gx = on_gpu(x)
    mask, gmask = XConv.relu!(x; keep=true), XConv.relu!(gx; keep=true)
    @test Array(gx) == x && Array(gmask.bits) == mask.bits
    @test Array(XConv.∇relu(gmask, gx)) == XConv.∇relu(mask, x)
end

@testset "tasks have streams of their own, and memory lives until they are done" begin
    rng = MersenneTwister(4)
    xs = [whole(rng, Float32, 32, 32, 8, 16) for _ in 1:8]
    w = whole(rng, Float32, 3, 3, 8, 8)
    expected = [XConv.∇conv_filter(XConv.sketch(x, w; scheme=Probe(4), seed=i), XConv.conv(x, w))
                for (i, x) in enumerate(xs)]
    tasks = map(enumerate(xs)) do (i, x)
        Threads.@spawn begin
            gw = on_gpu(w)
            for _ in 1:20      # garbage in between: freed memory must not be reused too early
                y, s = XConv.conv_sketch(on_gpu(x), gw; scheme=Probe(4), seed=i)
                dw = XConv.∇conv_filter(s, y)
                Array(dw) == expected[i] || return false
            end
            true
        end
    end
    @test all(fetch, tasks)
    @test XConv.context(XConv.device(on_gpu(w))) === XConv.context(XConv.device(on_gpu(w)))
end

@testset "TF32 where CUDA.jl is asked for it" begin
    x, w = CUDA.randn(16, 16, 32, 4), CUDA.randn(3, 3, 32, 32)
    exact = XConv.conv(x, w)
    s = XConv.sketch(x, w; scheme=Probe(4), seed=1)
    before = CUDA.math_mode()
    CUDA.math_mode!(CUDA.FAST_MATH)
    try
        @test XConv.context_desc(XConv.device(x)).allow_tf32 == 1
        @test close_to(XConv.conv(x, w), Array(exact); rtol=1e-2)
        @test all(isfinite, Array(XConv.∇conv_filter(s, exact)))    # with the plan it was made by
    finally
        CUDA.math_mode!(before)
    end
    @test XConv.conv(x, w) == exact
end

@testset "errors leave the GPU usable" begin
    x, w = CUDA.randn(8, 8, 2, 3), CUDA.randn(3, 3, 2, 4)
    @test_throws ArgumentError XConv.conv(x, Array(w))
    @test_throws XConv.XConvError XConv.relu!(CUDA.ones(3); negative_slope=0.1, ceiling=6)
    @test_throws DimensionMismatch XConv.conv(x, CUDA.randn(3, 3, 3, 4))
    @test close_to(XConv.conv(x, w), XConv.conv(Array(x), Array(w)))
end

if Base.find_package("Flux") !== nothing
    using Flux
    @testset "xconv(model, scheme) |> gpu trains" begin
        rng = MersenneTwister(5)
        x, labels = randn(rng, Float32, 8, 8, 1, 64), rand(rng, 0:1, 64)
        x[1:2:end, :, :, labels.==0] .+= 1
        y = Flux.onehotbatch(labels, 0:1)
        model = Chain(Conv((3, 3), 1 => 8, relu; pad=1), BatchNorm(8), Conv((3, 3), 8 => 8, relu; pad=1),
            MaxPool((2, 2)), Dropout(0.1), Flux.flatten, Dense(128 => 2))
        for scheme in (Probe(32), Quantize(2), Probe(16; projection=:independent, mean=true, bits=2))
            converted = xconv(deepcopy(model), scheme) |> gpu
            gx, gy = gpu(x), gpu(y)
            @test converted(gx) isa CuArray
            before = Flux.logitcrossentropy(converted(gx), gy)
            state = Flux.setup(Flux.Adam(1e-2), converted)
            for _ in 1:15
                g = Flux.gradient(m -> Flux.logitcrossentropy(m(gx), gy), converted)[1]
                Flux.update!(state, converted, g)
            end
            @test Flux.logitcrossentropy(converted(gx), gy) < before / 2
        end
        kept(m, x) = XConv.kept_bytes(Flux.Zygote.pullback((m, x) -> m(x), m, x)[2]; except=(m, x))
        small = xconv(deepcopy(model), Quantize(2))
        @test kept(gpu(small), gpu(x)) <= 1.2 * kept(small, x)
    end
end
