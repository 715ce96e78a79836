@testset "schemes are values" begin
    @test Probe(8) === Probe(8; projection=:dense, distribution=:rademacher)
    @test Probe(8) != Probe(9) && Probe(8) != Probe(8; projection=:orthogonal)
    @test hash(Probe(8)) == hash(Probe(8))
    @test Exact() === Exact()
    @test isbits(Exact())
    @test length(Set([Probe(8), Probe(8), Exact()])) == 2
    for s in [SCHEMES; Exact(); Probe(64)]
        @test eval(Meta.parse(repr(s))) == s   # what is printed can be read back
        @test parse(XConv.Scheme, repr(s)) === s
    end
    @test repr(Probe(64)) == "Probe(64)"
    @test repr(Probe(4; projection=:independent)) == "Probe(4; projection=:independent)"
    @test repr(Probe(4; group=64, bits=2, mean=true)) == "Probe(4; mean=true, bits=2, group=64)"
    @test repr(Quantize(2)) == "Quantize(2)"
    @test repr(Quantize(1; group=64)) == "Quantize(1; group=64)"
    @test Quantize(2) === Quantize(2; group=0) && Quantize(2) != Quantize(4)
    @test isbits(Quantize(2))
end

@testset "wrong schemes: $what" for (what, make, words) in [
    ("no probes", () -> Probe(0), ("r >= 1", "0")),
    ("projection", () -> Probe(4; projection=:circular), ("projection", ":circular", ":dense")),
    ("distribution", () -> Probe(4; distribution=:cauchy), ("distribution", ":cauchy")),
    ("bits of Probe", () -> Probe(4; bits=3), ("bits", "3", "0, 1, 2, 4, 8")),
    ("group of Probe", () -> Probe(4; bits=2, group=12), ("group", "12", "multiple of 8")),
    ("group without bits", () -> Probe(4; group=64), ("group", "64", "bits")),
    ("bits of Quantize", () -> Quantize(0), ("bits", "0", "1, 2, 4, 8")),
    ("group of Quantize", () -> Quantize(2; group=-8), ("group", "-8")),
]
    err = try
        make()
    catch e
        e
    end
    @test err isa ArgumentError
    @test all(w -> occursin(w, err.msg), words)
end

@testset "text that is no scheme: $text" for text in
        ("Probe", "Probe(", "exit()", "Probe(exit())", "Probe(8; mean=exit())", "8", "", "Probe(0)")
    @test_throws ArgumentError parse(XConv.Scheme, text)
end

@testset "descriptors" begin
    for s in [SCHEMES; Exact(); Probe(64)]
        @test XConv.Scheme(XConv.SchemeDesc(s)) === s
    end
    d = XConv.SchemeDesc(Probe(7; projection=:independent, mean=true, bits=4, group=32,
        distribution=:uniform))
    @test (d.projection, d.distribution, d.probes, d.deflate_mean, d.bits, d.group) ==
          (XConv.XCONV_INDEPENDENT, XConv.XCONV_UNIFORM, 7, 1, 4, 32)
    d = XConv.SchemeDesc(Quantize(1))
    @test (d.projection, d.distribution, d.probes, d.deflate_mean, d.bits, d.group) ==
          (XConv.XCONV_IDENTITY, 0, 0, 0, 1, 0)
end

@testset "Flux is asked for where it is missing" begin
    said(f, args...) = try
        f(args...)
    catch err
        err isa ArgumentError ? err.msg : rethrow()
    end
    if !XConv.flux_is_loaded()
        @test all(f -> occursin("using Flux", said(f, 1)), (xconv, exact, memory_report, XConv.advise))
        @test occursin("using Flux", said(xconv, 1, Quantize(2)))
    end
    # Loaded or not, these are wrong.
    @test endswith(said(xconv, 1, Probe), "Probe is a type")
    @test endswith(said(xconv, Quantize(2), 1), "the model comes first, before the Quantize")
end
