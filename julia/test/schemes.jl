@testset "schemes are values" begin
    @test Probe(8) === Probe(8; projection=:dense, distribution=:rademacher)
    @test Probe(8) != Probe(9) && Probe(8) != Probe(8; projection=:orthogonal)
    @test hash(Probe(8)) == hash(Probe(8))
    @test Exact() === Exact()
    @test isbits(Exact())
    @test length(Set([Probe(8), Probe(8), Exact()])) == 2
    for s in [SCHEMES; Exact(); Probe(64)]
        @test eval(Meta.parse(repr(s))) == s   # what is printed can be read back
    end
    @test repr(Probe(64)) == "Probe(64)"
    @test repr(Probe(4; projection=:independent)) == "Probe(4; projection=:independent)"
    @test_throws ArgumentError Probe(0)
    @test_throws ArgumentError Probe(4; projection=:circular)
    @test_throws ArgumentError Probe(4; distribution=:cauchy)
end
