@testset "plans are cached" begin
    x, w = zeros(Float32, 8, 8, 4, 2), zeros(Float32, 3, 3, 4, 2)
    p = XConv.plan(x, w; scheme=Probe(3))
    @test XConv.plan(copy(x), copy(w); scheme=Probe(3)) === p
    @test XConv.plan((Float32, size(x)), size(w); scheme=Probe(3)) === p
    @test XConv.plan(x, w; scheme=Probe(4)) !== p
    @test XConv.plan(x, w; scheme=Probe(3), pad=1) !== p
    @test XConv.plan(Float64.(x), Float64.(w); scheme=Probe(3)) !== p
    XConv.set_threads!(2)
    @test XConv.plan(x, w; scheme=Probe(3)) !== p
    XConv.set_threads!(1)
    @test XConv.plan(x, w; scheme=Probe(3)) === p
    @test_throws ArgumentError XConv.set_threads!(-1)
    @test occursin("dense", XConv.describe(p))
    @test occursin("Probe(3)", repr(p))
end

@testset "results do not depend on the number of threads" begin
    x, w = randn(Float32, 12, 12, 4, 6), randn(Float32, 3, 3, 4, 8)
    function all_passes()
        y, s = XConv.conv_sketch(x, w; scheme=Probe(7), seed=3, pad=1)
        return y, s.data, XConv.∇conv_filter(s, y), XConv.∇conv_data(y, w, x; pad=1)
    end
    one = all_passes()
    XConv.set_threads!(3)
    @test all(map(isapprox, all_passes(), one))
    @test all_passes() == all_passes()
    XConv.set_threads!(1)
end

@testset "the cache is bounded, oldest first" begin
    cache = XConv.PlanCache(3)
    conv(batch) = XConv.ConvDesc(Float32, (8, 8, 4, batch), (3, 3, 4, 2), XConv.ConvOptions(Val(2)))
    plans = [XConv.plan_for(conv(b), Exact(), XConv.CPU(1), cache) for b in 1:3]
    @test XConv.plan_for(conv(1), Exact(), XConv.CPU(1), cache) === plans[1]   # now 2 is the oldest
    XConv.plan_for(conv(4), Exact(), XConv.CPU(1), cache)
    @test length(cache.entries) == 3
    @test XConv.plan_for(conv(1), Exact(), XConv.CPU(1), cache) === plans[1]
    @test XConv.plan_for(conv(2), Exact(), XConv.CPU(1), cache) !== plans[2]
end

@testset "finalizers free plans" begin
    function make_and_drop()
        cache = XConv.PlanCache(100)
        for b in 1:20
            XConv.plan_for(XConv.ConvDesc(Float32, (8, 8, 4, b), (3, 3, 4, 2),
                XConv.ConvOptions(Val(2))), Exact(), XConv.CPU(1), cache)
        end
        return GC.@preserve cache XConv.live_plans[]
    end
    GC.gc()      # plans of other tests must not die in between
    GC.gc()
    before = XConv.live_plans[]
    @test make_and_drop() == before + 20
    GC.gc()
    GC.gc()
    @test XConv.live_plans[] <= before
end

@testset "an evicted plan stays usable" begin
    x, w = whole(MersenneTwister(1), Float32, 6, 6, 2, 1), whole(MersenneTwister(2), Float32, 3, 3, 2, 1)
    s = XConv.sketch(x, w; scheme=Exact())
    y = XConv.conv(x, w)
    XConv.empty_cache!()
    GC.gc()
    @test XConv.∇conv_filter(s, y) == XConv.∇conv_filter(x, y, w)
end

@testset "scratch memory is reused and bounded" begin
    pool = XConv.WorkspacePool(ReentrantLock(), Vector{UInt8}[], 1000)
    a = XConv.acquire!(pool, 100)
    XConv.release!(pool, a)
    @test XConv.acquire!(pool, 60) === a
    XConv.release!(pool, a)
    b = XConv.acquire!(pool, 300)        # does not fit: a is let go
    @test length(b) == 300 && isempty(pool.idle)
    XConv.release!(pool, b)
    XConv.release!(pool, Vector{UInt8}(undef, 800))
    @test XConv.idle_bytes(pool) <= 1000
    @test isempty(empty!(pool).idle)
end
