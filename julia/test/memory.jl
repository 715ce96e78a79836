struct Holder
    a
    b
end

@testset "kept_bytes adds up distinct arrays" begin
    x, y = zeros(Float32, 100), zeros(10)
    @test XConv.kept_bytes(x) == 400
    @test XConv.kept_bytes(Holder(x, y)) == 480
    @test XConv.kept_bytes(Holder(x, reshape(x, 10, 10))) == 400     # one memory
    @test XConv.kept_bytes(() -> x) == 400                           # closures
    @test XConv.kept_bytes(view(x, 1:3)) == 400                      # views hold it all
    @test XConv.kept_bytes(Dict(:a => x, :b => [x, x])) >= 400
    @test XConv.kept_bytes(Holder(x, y); except=(x,)) == 80
    @test XConv.kept_bytes((1, "text", Float32, :symbol)) == 0
    cyclic = Any[x]
    push!(cyclic, cyclic)
    @test XConv.kept_bytes(cyclic) == 400
    w = zeros(Float32, 3, 3, 2, 2)
    s = XConv.sketch(zeros(Float32, 8, 8, 2, 4), w; scheme=Probe(3))
    @test XConv.kept_bytes(s) == sizeof(s) == 4 * 3 * 4
end

@testset "trace lists the task's calls" begin
    x, w = zeros(Float32, 8, 8, 2, 4), zeros(Float32, 3, 3, 2, 2)
    y, calls = XConv.trace() do
        XConv.conv(x, w)
        XConv.sketch(x, w; scheme=Probe(2))
        XConv.conv(x, w)
    end
    @test [c.pass for c in calls] == [:forward, :sketch, :forward]
    @test all(c -> c.seconds >= 0, calls)
    @test isempty(last(XConv.trace(() -> 1)))
end

@testset "what needs Flux says so" begin
    if Base.find_package("Flux") === nothing
        @test_throws ArgumentError xconv(identity, Probe(2))
        @test_throws ArgumentError exact(identity)
        @test_throws ArgumentError memory_report(identity, 1)
    end
end
