# Run by itself with several threads: many tasks share plans, cache and scratch memory.
using Test, Random, XConv

@assert Threads.nthreads() > 1

@testset "several threads" begin
    XConv.empty_cache!()
    shapes = [(8 + i % 5, 7, 2, 1 + i % 3) for i in 1:60]
    w = randn(MersenneTwister(0), Float32, 3, 3, 2, 3)
    function work(i)
        x = randn(MersenneTwister(i), Float32, shapes[i]...)
        y, s = XConv.conv_sketch(x, w, nothing; scheme=Probe(1 + i % 4), seed=i, pad=1)
        pooled, index = XConv.maxpool(y, (2, 2); keep=true)
        return y, XConv.∇conv_filter(s, y), XConv.∇conv_data(y, w, x; pad=1),
               XConv.∇maxpool(index, pooled)
    end
    alone = map(work, 1:60)
    XConv.empty_cache!()
    together = Vector{Any}(undef, 60)
    for _ in 1:5
        Threads.@threads for i in 1:60
            together[i] = work(i)
        end
        @test together == alone
    end
    outcomes = map(fetch, [Threads.@spawn XConv.plan((Float32, (9, 9, 2, 1)), w) for _ in 1:50])
    @test all(p -> p === outcomes[1], outcomes)
    failures = Threads.Atomic{Int}(0)
    Threads.@threads for i in 1:40
        try
            XConv.relu!(ones(3); negative_slope=0.1, ceiling=6)
        catch e
            e isa XConv.XConvError && occursin("ceiling", e.message) &&
                Threads.atomic_add!(failures, 1)
        end
    end
    @test failures[] == 40
end
