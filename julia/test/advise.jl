@testset "advice on a layer" begin
    rng = MersenneTwister(1)
    x, w = max.(randn(rng, Float32, 10, 9, 4, 16), 0), (3, 3, 4, 5)
    dy = randn(rng, Float32, 10, 9, 5, 16)
    exact_dw = XConv.∇conv_filter(x, dy, w; pad=1)
    advice = XConv.advise(x, dy, w; pad=1, seconds=30, draws=16, seed=3)
    @test length(advice) >= 5 && issorted(advice; by=r -> r.kept_bytes)
    @test advice.x_bytes == sizeof(x) && isfinite(advice.batch_noise) && advice.batch_noise > 0
    @test allunique(map(r -> r.scheme, advice))
    exact_row = only(filter(r -> r.scheme === Exact(), advice))
    @test exact_row.relative_variance == 0 && exact_row.kept_bytes == sizeof(x)
    for (i, r) in enumerate(advice)
        @test r.on_front == all(o -> o.relative_variance > r.relative_variance, advice[1:i-1])
        r.scheme === Exact() && continue
        @test sizeof(XConv.sketch(x, w; scheme=r.scheme, pad=1)) == r.kept_bytes
    end

    # The noise is what one sees by drawing, to five standard errors of both.
    for r in advice[[2, length(advice) ÷ 2, length(advice) - 1]]
        noise = [sum(abs2, XConv.∇conv_filter(XConv.sketch(x, w; scheme=r.scheme, seed=s, pad=1), dy) -
                           exact_dw) / sum(abs2, exact_dw) for s in 1:300]
        average = sum(noise) / 300
        error = sqrt(sum(n -> abs2(n - average), noise) / 299 / 300)
        @test abs(average - r.relative_variance) <= 5 * sqrt(error^2 + r.variance_error^2)
    end

    # Bounds, and what is recommended under them.
    middle = advice[length(advice) ÷ 2]
    bounded = XConv.advise(x, dy, w; pad=1, seconds=30, budget_bytes=middle.kept_bytes)
    @test 0 < length(bounded) < length(advice) && all(r -> r.kept_bytes <= middle.kept_bytes, bounded)
    quietest = argmin(map(r -> r.relative_variance, bounded))
    @test XConv.recommended(bounded) === bounded[quietest].scheme
    quiet = XConv.advise(x, dy, w; pad=1, seconds=30, max_noise=0.5)
    @test all(r -> r.relative_variance <= 0.5, quiet)
    @test XConv.recommended(quiet) === quiet[1].scheme
    none = XConv.advise(x, dy, w; pad=1, seconds=30, budget_bytes=1)
    @test isempty(none) && XConv.recommended(none) === nothing

    @test_throws DimensionMismatch XConv.advise(x, dy[:, :, 1:4, :], w; pad=1)
    @test_throws ArgumentError XConv.advise(x, Float64.(dy), w; pad=1)
    @test_throws XConv.XConvError XConv.advise(x, dy, w; pad=1, draws=1)
end

@testset "advice is printed and drawn" begin
    row(scheme, bytes, noise; front=true, best=false) =
        XConv.AdviceRow((scheme, bytes, noise, noise / 10, 1.5, front, best))
    advice = XConv.Advice([row(Probe(4), 64, 90.0), row(Probe(8; mean=true), 256, 120.0; front=false),
        row(Quantize(2), 1024, 0.1; best=true), row(Exact(), 16384, 0.0)], 1.25, 16384)
    text = sprint(show, MIME("text/plain"), advice)
    @test occursin("of 4 measured", text) && occursin("* Quantize(2)", text)
    @test !occursin("Probe(8", text)                     # beaten, so not in the table
    @test occursin("256x", text) && occursin("90.0 ± 9.0", text) && occursin("is 1.25", text)
    @test repr(advice) == "XConv.Advice of 4 schemes"
    file = tempname() * ".svg"
    XConv.svg(file, advice)
    picture = read(file, String)
    rm(file)
    @test startswith(picture, "<svg") && endswith(picture, "</svg>\n")
    @test length(collect(eachmatch(r"<circle", picture))) == 3     # no place for 0 on a log scale
    @test occursin("noise of the batch", picture) && occursin("<title>Quantize(2)</title>", picture)
    @test length(collect(eachmatch(r"<(?:text|title|svg)\b", picture))) ==
          length(collect(eachmatch(r"</(?:text|title|svg)>", picture)))
    @test XConv.recommended(advice) === Quantize(2)
    @test sprint(show, MIME("text/plain"), XConv.Advice(XConv.AdviceRow[], NaN, 64)) isa String
    @test sprint(show, MIME("image/svg+xml"), XConv.Advice(XConv.AdviceRow[], NaN, 64)) isa String
end
