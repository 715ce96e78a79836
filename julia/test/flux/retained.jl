# What a pullback holds on to, by looking and by collecting garbage.

"""Whether `x`, which `make` sees and nobody else keeps, is gone although what `make`
returned is alive."""
function is_released(make)
    held, reference = made_of_new(make)
    for _ in 1:3
        GC.gc(true)
    end
    released = reference.value === nothing
    return released, held            # held is returned so that it cannot be freed before
end

# Not inlined: a frame that is left cannot hold x.
@noinline function made_of_new(make)
    x = randn(Float32, 16, 16, 8, 4)
    return make(x), WeakRef(x)
end

@testset "x is garbage while the pullback lives" begin
    w, b = randn(Float32, 3, 3, 8, 8), randn(Float32, 8)
    @test first(is_released(x -> rrule(XConv.conv, x, w, b; scheme=Probe(4))[2]))
    @test first(is_released(x -> rrule(XConv.conv, x, w; scheme=Probe(4))[2]))
    @test !first(is_released(x -> rrule(XConv.conv, x, w, b; scheme=Exact())[2]))
    # Here the pullback works after x is gone.
    released, back = is_released(x -> rrule(XConv.conv, x, w, b; scheme=Probe(4))[2])
    @test released && size(unthunk(back(ones(Float32, 14, 14, 8, 4))[3])) == size(w)

    pullback(model) = x -> Zygote.pullback((m, x) -> m(x), model, x)[2]
    for layer in (Conv((3, 3), 8 => 8, relu), MaxPool((2, 2)), MeanPool((2, 2)), GlobalMeanPool(),
                  Flux.flatten, Dropout(0.5), BatchNorm(8, relu), GroupNorm(8, 2), LayerNorm(16),
                  Conv((3, 3), 8 => 8, gelu), AdaptiveMeanPool((4, 4)), x -> relu.(x),
                  SkipConnection(Conv((3, 3), 8 => 8, relu; pad=1), +),
                  Parallel(+, Conv((3, 3), 8 => 8, relu; pad=1), MaxPool((3, 3); pad=1, stride=1)))
        model = xconv(Chain(layer), Probe(4); skip_first=false)
        @test first(is_released(pullback(model)))
    end
end

"""Bytes kept by one call, in units of the layer's input."""
relative(model, x) = XConv.kept_bytes(Zygote.pullback((m, x) -> m(x), model, x)[2]; except=model) /
                     sizeof(x)

@testset "bytes kept by each layer, over the bytes of its input" begin
    x = randn(Float32, 16, 16, 8, 16)
    measured(layer; kw...) = relative(xconv(Chain(layer), Probe(4); skip_first=false, kw...), x)
    slack = 0.02
    @test measured(Conv((3, 3), 8 => 8, relu; pad=1)) < 1 / 32 + slack
    @test measured(Conv((3, 3), 8 => 8; pad=1)) < slack
    @test measured(Conv((3, 3), 8 => 8, tanh; pad=1)) < 1 + slack
    @test measured(Conv((3, 3), 8 => 8, gelu; pad=1)) < 1 + slack
    @test measured(Conv((3, 3), 8 => 8, swish; pad=1)) < 1 + slack
    @test measured(MaxPool((2, 2))) < 2 / 32 / 4 + slack
    @test measured(GlobalMaxPool()) < slack
    for layer in (MeanPool((2, 2)), GlobalMeanPool(), AdaptiveMeanPool((4, 4)), Flux.flatten,
                  Dropout(0.5), SkipConnection(Conv((3, 3), 8 => 8; pad=1), +),
                  SkipConnection(Conv((3, 3), 8 => 8; pad=1), (a, b) -> cat(a, b; dims=3)))
        @test measured(layer) < slack
    end
    # Numbers of few bits, and two levels in the bytes of a Float32 for each group of about 256.
    for bits in (1, 2, 4, 8)
        layer = xconv(Chain(Conv((3, 3), 8 => 8; pad=1)), Quantize(bits); skip_first=false)
        @test relative(layer, x) < bits / 32 + 1 / 256 + 0.002
    end
    few = xconv(Chain(Conv((3, 3), 8 => 8; pad=1)), Probe(16; projection=:independent, mean=true,
        bits=2); skip_first=false)
    @test relative(few, x) < (16 * 2 + 8) / 256 / 32 + 0.01
    for layer in (BatchNorm(8, relu), InstanceNorm(8), GroupNorm(8, 2), LayerNorm(16, 16))
        @test measured(layer) < 1 / 2 + 1 / 32 + slack
        @test relative(xconv(Chain(layer), Quantize(2)), x) < 1 / 4 + 1 / 32 + slack
        @test relative(xconv(Chain(layer), Exact()), x) < 1 + 1 / 32 + slack
        @test relative(Chain(layer), x) > 1.9
    end
    two = Chain(Conv((3, 3), 8 => 8, relu; pad=1), Conv((3, 3), 8 => 8, relu; pad=1))
    @test relative(xconv(two, Probe(4); skip_first=false), x) < 2 * (1 / 32 + slack)
end

"""Bytes the whole model keeps, neither parameters nor data counted: before, after."""
function whole(model, scheme, x)
    kept(m) = XConv.kept_bytes(Zygote.pullback((m, x) -> m(x), m, x)[2]; except=(m, x))
    return kept(model), kept(xconv(model, scheme))
end

@testset "whole networks" begin
    before, after = whole(mnist_net(), Probe(16), randn(Float32, 28, 28, 1, 64))
    @info "manuscript's network keeps $(round(before / after; digits=1)) times less"
    @test before >= 8 * after
    for (scheme, least) in ((Probe(16), 4), (Quantize(2), 7))
        before, after = whole(resnet18(32), scheme, randn(Float32, 32, 32, 3, 32))
        @info "ResNet-18 keeps $(round(before / after; digits=1)) times less with $scheme"
        @test before >= least * after
    end
    before, after = whole(mnist_net(), Quantize(2), randn(Float32, 28, 28, 1, 64))
    @info "manuscript's network keeps $(round(before / after; digits=1)) times less with Quantize(2)"
    @test before >= 16 * after
end

@testset "dx of the first layer is never computed" begin
    x = randn(Float32, 12, 12, 2, 4)
    model = xconv(Chain(Conv((3, 3), 2 => 3, relu), Conv((3, 3), 3 => 4, relu), Flux.flatten), Probe(4);
        skip_first=false)
    count_of(f, pass) = count(c -> c.pass === pass, last(XConv.trace(f)))
    loss(m, x) = sum(abs2, m(x))
    @test count_of(() -> Zygote.gradient(m -> loss(m, x), model), :backward_data) == 1
    @test count_of(() -> Zygote.gradient(loss, model, x), :backward_data) == 2
    @test count_of(() -> Zygote.gradient(m -> loss(m, x), model), :backward_filter) == 2
end

@testset "memory_report" begin
    model = mnist_net()
    x = randn(Float32, 28, 28, 1, 8)
    io = IOBuffer()
    Random.seed!(1)
    rows = memory_report(io, model, x; scheme=Probe(8))
    next = rand()
    Random.seed!(1)
    @test rand() == next
    text = String(take!(io))
    @test occursin("Probe(8)", text) && occursin("whole model", text)
    @test length(rows) == length(model.layers) + 1
    @test rows[1].before > rows[1].after
    @test rows[2].after < rows[2].before / 10
    @test rows[8].before == rows[8].after          # Dense keeps its input
    @test (rows[end].before, rows[end].after) == whole(model, Probe(8), x)
    @test occursin(r"^model\[3\] xconv"m, text)
    bn = Flux.testmode!(Chain(Conv((3, 3), 1 => 2), BatchNorm(2)))
    μ = copy(bn[2].μ)
    memory_report(IOBuffer(), bn, x)
    @test bn[2].μ == μ && bn[2].active === false    # looking changes nothing
    nested = memory_report(IOBuffer(), xconv(resnet18(4), Probe(2)), randn(Float32, 8, 8, 3, 2))
    @test count(r -> occursin("Conv(", r.layer), nested) == 20

    # What does not fit is taken out of the description: path, kind and scheme stay.
    x3 = randn(Float32, 8, 8, 3, 2)
    scheme = Probe(16; projection=:independent, mean=true, bits=2)
    memory_report(io, Chain(conv=Chain(Conv((1, 1), 3 => 2), Conv((3, 3), 2 => 4, leakyrelu; pad=1))),
        x3; scheme)
    @test occursin(r"^model\.conv\[2\] xconv\(Conv.*….*mean=true, bits=2\)\) "m, String(take!(io)))
    far = "model." * "x"^80
    @test FluxExt.shorten("$far Conv((3, 3), 1 => 1)", length(far) + 2) == "$far…)"
    # Quantize(2) unless told, and structs that take no recorders inside.
    rigid = Chain(Conv((1, 1), 3 => 2), OnlyConv(Conv((3, 3), 2 => 2)))
    rows = @test_logs (:warn, r"OnlyConv") memory_report(io, rigid, x3)
    @test startswith(rows[2].layer, "model[2] OnlyConv") && rows[2].before > 0
    memory_report(io, mnist_net(), x)
    @test occursin("Quantize(2)", String(take!(io)))
end
