# Float16 stores; products and sums are Float32. Without a library that has it, skipped.

"""|a - b| within the rounding of a Float16 result of sums of such size."""
close_half(a, b, size) = all(abs.(Float64.(a) .- b) .<= 2 .* Float64(eps(Float16)) .* size .+ 1e-6)

function half_tests()
    @testset "Float16: $name" for (name, xs, ws, kw) in GEOMETRIES
        rng = MersenneTwister(1)
        o = XConv.ConvOptions(Val(length(xs) - 2); kw...)
        x, w = randn(rng, Float16, xs...), randn(rng, Float16, ws...)
        b = randn(rng, Float16, ws[end])
        y = XConv.conv(x, w; kw...)
        @test y isa Array{Float16}
        @test close_half(y, oracle_conv(x, w, o), oracle_conv(abs.(x), abs.(w), o))
        dy = randn(rng, Float16, size(y)...)
        dw, size_of_dw = oracle_filter(x, dy, ws, o), oracle_filter(abs.(x), abs.(dy), ws, o)
        @test close_half(XConv.∇conv_filter(x, dy, w; kw...), dw, size_of_dw)
        wide = XConv.∇conv_filter(x, dy, w; float32_dw=true, kw...)
        @test wide isa Array{Float32} && all(abs.(wide .- dw) .<= 1e-4 .* (1 .+ size_of_dw))
        dx = XConv.∇conv_data(dy, w, x; kw...)
        @test dx isa Array{Float16}
        @test close_half(dx, oracle_data(dy, w, xs, o), oracle_data(abs.(dy), abs.(w), xs, o))
        db = XConv.∇conv_bias(dy, XConv.plan(x, w; float32_dw=true, kw...))
        @test db isa Vector{Float32}
        @test db ≈ vec(sum(Float32, dy; dims=setdiff(1:ndims(dy), ndims(dy) - 1))) rtol = 1e-4 atol = 1e-4
        @test XConv.conv(x, w, b; kw...) isa Array{Float16}
    end

    @testset "Float16 sketches: $scheme" for scheme in [SCHEMES; Exact()]
        rng = MersenneTwister(2)
        x, w = randn(rng, Float16, 8, 7, 4, 3), randn(rng, Float16, 3, 3, 4, 5)
        y, s = XConv.conv_sketch(x, w; scheme=scheme, seed=7, pad=1)
        @test s.data == XConv.sketch(x, w; scheme=scheme, seed=7, pad=1).data
        same = XConv.sketch(Float32.(x), size(w); scheme=scheme, seed=7, pad=1)
        dy = randn(rng, Float16, size(y)...)
        dw = XConv.∇conv_filter(s, dy)
        @test dw isa Array{Float16}
        # Kept numbers are Float32 in either case, and so is the estimate but for its rounding.
        @test dw ≈ XConv.∇conv_filter(same, Float32.(dy)) rtol = 4e-3
        wide = XConv.∇conv_filter(XConv.sketch(x, w; scheme=scheme, seed=7, pad=1, float32_dw=true), dy)
        @test wide isa Array{Float32}
        @test Float16.(wide) ≈ dw
    end

    @testset "Float16 relu and max pooling" begin
        x = randn(MersenneTwister(3), Float16, 8, 6, 3, 2)
        y, index = XConv.maxpool(x, (2, 2); keep=true)
        dy = randn(MersenneTwister(4), Float16, size(y)...)
        y32, index32 = XConv.maxpool(Float32.(x), (2, 2); keep=true)
        @test y isa Array{Float16} && y == y32 && index.bits == index32.bits
        @test XConv.∇maxpool(index, dy) == XConv.∇maxpool(index32, Float32.(dy))
        z = copy(x)
        mask = XConv.relu!(z; keep=true)
        @test z == max.(x, 0) && XConv.∇relu(mask, x) == max.(x, 0)
    end
end

if XConv.supports(Float16)
    half_tests()
else
    @info "Float16 SKIPPED: this libxconv answers XCONV_UNSUPPORTED for XCONV_F16"
    @test_throws XConv.XConvError XConv.conv(zeros(Float16, 4, 1, 1), zeros(Float16, 1, 1, 1))
end
