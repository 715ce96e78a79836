# XConvCUDAExt without a GPU: what it makes of CUDA.jl's state, which a stand-in for
# CUDA.jl has here. In a process of its own, as `julia extension.jl`.
using Test
push!(LOAD_PATH, joinpath(@__DIR__, "stand_in"))
using CUDA
using XConv

on_gpu(dims...) = CUDA.CuArray(randn(Float32, dims...))

@testset "the extension for CUDA.jl" begin
    @test Base.get_extension(XConv, :XConvCUDAExt) !== nothing

    @testset "contexts are the task's: GPU, stream" begin
        x = on_gpu(4, 4, 2, 1)
        desc = XConv.context_desc(XConv.device(x))
        @test desc.struct_size == sizeof(desc) && desc.device == XConv.XCONV_CUDA
        @test desc.device_index == 0 && desc.threads == 0 && desc.allow_tf32 == 0
        @test desc.stream == CUDA.stream().handle
        @test XConv.context_owner(XConv.device(x)) === CUDA.stream()
        CUDA.device!(1)
        @test_throws ArgumentError XConv.context_desc(XConv.device(x))
        @test XConv.context_desc(XConv.device(on_gpu(1))).device_index == 1
        @test !XConv.same_place(XConv.device(x), XConv.device(on_gpu(1)))
        CUDA.device!(0)
    end

    @testset "TF32 is what FAST_MATH allows, and plans remember it" begin
        exact = XConv.device(on_gpu(1))
        CUDA.math_mode!(CUDA.FAST_MATH)
        fast = XConv.device(on_gpu(1))
        CUDA.math_mode!(CUDA.PEDANTIC_MATH)
        @test XConv.device(on_gpu(1)) == exact
        CUDA.math_mode!(CUDA.DEFAULT_MATH)
        @test XConv.context_desc(fast).allow_tf32 == 1 && XConv.context_desc(exact).allow_tf32 == 0
        @test XConv.context_desc(fast) != XConv.context_desc(exact)
        @test XConv.device_key(fast) != XConv.device_key(exact)
        @test XConv.same_place(fast, exact)    # a sketch made under the other is no stranger
    end

    @testset "memory is the pool's" begin
        d = XConv.device(on_gpu(1))
        buffer = XConv.allocate(d, UInt8, (5,))
        @test buffer isa CUDA.CuArray{UInt8,1} && size(buffer) == (5,)
        @test XConv.address(buffer) == pointer(buffer.data)
        XConv.release!(d, buffer)
        @test buffer.freed
    end

    @testset "what is asked of a library or machine without CUDA" begin
        x, w = on_gpu(6, 6, 2, 1), on_gpu(3, 3, 2, 2)
        if !XConv.supports(x)
            error = try
                XConv.conv(x, w)
            catch e
                e
            end
            @test error isa XConv.XConvError && occursin("CUDA", sprint(showerror, error))
        end
    end
end
