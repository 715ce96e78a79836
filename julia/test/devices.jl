# Everything but CUDA.jl's own part of running on another device, on the CPU: arrays of
# a memory that the package must not touch by itself, with an allocator that counts.

struct FakeDevice <: XConv.Device
    index::Int
end

"""An Array in disguise: only the library and the methods below see its numbers."""
struct FakeArray{T,N} <: DenseArray{T,N}
    data::Array{T,N}
    index::Int
end
FakeArray(data::Array) = FakeArray(data, 0)
Base.size(a::FakeArray) = size(a.data)
Base.sizeof(a::FakeArray) = sizeof(a.data)
Base.strides(a::FakeArray) = strides(a.data)
Base.elsize(::Type{<:FakeArray{T}}) where {T} = sizeof(T)
Base.getindex(::FakeArray, ::Int...) = error("a number was read on its own")
Base.setindex!(::FakeArray, v, ::Int...) = error("a number was written on its own")
Base.similar(a::FakeArray, ::Type{T}, dims::Dims) where {T} = FakeArray(Array{T}(undef, dims), a.index)
Base.reshape(a::FakeArray, dims::Dims) = FakeArray(reshape(a.data, dims), a.index)
Base.copyto!(a::FakeArray, b::AbstractArray) = (copyto!(a.data, on_host(b)); a)
Base.Array(a::FakeArray) = copy(a.data)
Base.show(io::IO, a::FakeArray) = print(io, "FakeArray of size ", size(a))

"""The same view of the Array behind."""
on_host(a) = a
on_host(a::FakeArray) = a.data
on_host(a::PermutedDimsArray{<:Any,<:Any,p}) where {p} = PermutedDimsArray(on_host(parent(a)), p)
on_host(a::SubArray) = view(on_host(parent(a)), parentindices(a)...)

struct FakePointer
    address::Ptr{Cvoid}
end
Base.pointer(a::FakeArray) = FakePointer(pointer(a.data))
Base.pointer(a::SubArray{T,N,<:FakeArray}) where {T,N} = FakePointer(pointer(on_host(a)))

const allocated = Ref(0)
const released = Ref(0)
const tasks_stream = Ref(1)
XConv.storage_device(a::FakeArray) = FakeDevice(a.index)
XConv.device_key(d::FakeDevice) = (Int32(99), Int32(d.index), 0)
XConv.context_desc(d::FakeDevice) = XConv.ContextDesc(sizeof(XConv.ContextDesc), XConv.XCONV_CPU,
    0, tasks_stream[], 0, C_NULL)
XConv.allocate(d::FakeDevice, ::Type{T}, dims::Dims) where {T} =
    (allocated[] += 1; FakeArray(Array{T}(undef, dims), d.index))
XConv.raw(p::FakePointer) = p.address
XConv.release!(::FakeDevice, buffer::FakeArray{UInt8}) = (released[] += 1; nothing)

@testset "another device: $scheme" for scheme in (Exact(), Probe(5; mean=true), Quantize(2))
    rng = MersenneTwister(1)
    x, w, b = randn(rng, Float32, 9, 8, 4, 3), randn(rng, Float32, 3, 3, 2, 6), randn(rng, Float32, 6)
    fx, fw, fb = FakeArray(x), FakeArray(w), FakeArray(b)
    kw = (pad=1, groups=2, stride=2)
    y, s = XConv.conv_sketch(x, w, b; scheme=scheme, seed=3, kw...)
    fy, fs = XConv.conv_sketch(fx, fw, fb; scheme=scheme, seed=3, kw...)
    @test fy isa FakeArray{Float32,4} && fs.data isa FakeArray{UInt8,1}
    @test Array(fy) == y && Array(fs.data) == s.data
    @test Array(XConv.sketch(fx, fw; scheme=scheme, seed=3, kw...).data) == s.data
    for (mine, theirs) in [
        (XConv.∇conv_filter(s, y), XConv.∇conv_filter(fs, fy)),
        (XConv.∇conv_filter(x, y, w; kw...), XConv.∇conv_filter(fx, fy, fw; kw...)),
        (XConv.∇conv_data(y, w, x; kw...), XConv.∇conv_data(fy, fw, fx; kw...)),
        (XConv.∇conv_bias(y, s.plan), XConv.∇conv_bias(fy, fs.plan)),
    ]
        @test theirs isa FakeArray && Array(theirs) == mine
    end
    @test fs.plan !== s.plan && fs.plan.device == FakeDevice(0)
    @test XConv.kept_bytes(fs) == sizeof(s)
end

@testset "scratch memory is the device's own, and goes back" begin
    x, w = randn(Float32, 16, 16, 8, 4), randn(Float32, 3, 3, 8, 8)
    p = XConv.plan(FakeArray(x), FakeArray(w); scheme=Probe(4))
    @test p.workspace[2] > 0 || p.workspace[3] > 0
    idle = length(XConv.workspace_pool.idle)
    allocated[] = released[] = 0
    s = XConv.sketch(FakeArray(x), FakeArray(w); scheme=Probe(4))
    XConv.∇conv_filter(s, FakeArray(randn(Float32, 14, 14, 8, 4)))
    @test released[] == count(>(0), p.workspace[2:3])
    @test allocated[] == released[] + 2             # and the sketch, and dw
    @test length(XConv.workspace_pool.idle) == idle
end

@testset "every stream of a task has its context, and no other task's" begin
    x, w = FakeArray(randn(Float32, 6, 6, 2, 1)), FakeArray(randn(Float32, 3, 3, 2, 1))
    XConv.conv(x, w)
    one = XConv.context(FakeDevice(0))
    @test XConv.context(FakeDevice(0)) === one
    @test fetch(@async XConv.context(FakeDevice(0))) !== one
    tasks_stream[] = 2
    other = XConv.context(FakeDevice(0))
    @test other !== one
    tasks_stream[] = 1
    @test XConv.context(FakeDevice(0)) === one
    for stream in 1:2XConv.MOST_CONTEXTS
        tasks_stream[] = stream
        XConv.context(FakeDevice(0))
    end
    tasks_stream[] = 1
    @test length(task_local_storage(XConv.CONTEXTS_KEY)) <= XConv.MOST_CONTEXTS
end

@testset "relu and max pooling on another device" begin
    x = whole(MersenneTwister(2), Float32, 8, 6, 3, 2)
    fx = FakeArray(copy(x))
    mask, fmask = XConv.relu!(x; keep=true), XConv.relu!(fx; keep=true)
    @test fmask.bits isa FakeArray && Array(fmask.bits) == mask.bits && Array(fx) == x
    @test Array(XConv.∇relu(fmask, fx)) == XConv.∇relu(mask, x)
    y, index = XConv.maxpool(x, (2, 2); keep=true)
    fy, findex = XConv.maxpool(fx, (2, 2); keep=true)
    @test Array(fy) == y && Array(findex.bits) == index.bits
    @test Array(XConv.∇maxpool(findex, fy)) == XConv.∇maxpool(index, y)
    @test_throws ArgumentError XConv.∇relu(fmask, x)
    @test_throws ArgumentError XConv.∇maxpool(findex, y)
end

@testset "views and permuted arrays of another device" begin
    x, w = whole(MersenneTwister(3), Float32, 8, 6, 4, 3), whole(MersenneTwister(4), Float32, 3, 3, 4, 2)
    fx, fw = FakeArray(x), FakeArray(w)
    @test XConv.dense(view(fx, :, :, :, 2:3), "x") isa SubArray     # read in place
    @test Array(XConv.conv(view(fx, :, :, :, 2:3), fw)) == XConv.conv(x[:, :, :, 2:3], w)
    turned = PermutedDimsArray(fx, (2, 1, 3, 4))
    @test XConv.dense(turned, "x") isa FakeArray
    @test Array(XConv.conv(turned, fw)) == XConv.conv(permutedims(x, (2, 1, 3, 4)), w)
end

@testset "devices do not mix" begin
    x, w = randn(Float32, 6, 6, 2, 1), randn(Float32, 3, 3, 2, 3)
    fx, fw = FakeArray(x), FakeArray(w)
    for wrong in (() -> XConv.conv(fx, w), () -> XConv.conv(x, fw), () -> XConv.conv(fx, FakeArray(w, 1)),
                  () -> XConv.conv(fx, fw, randn(Float32, 3)),
                  () -> XConv.∇conv_filter(XConv.sketch(fx, fw; scheme=Probe(2)), randn(Float32, 4, 4, 3, 1)))
        err = try
            wrong()
        catch e
            e
        end
        @test err isa ArgumentError
        @test occursin("FakeDevice", err.msg)
    end
end

"""An array of which XConv knows nothing: it makes more of its own kind."""
struct ElsewhereArray{T,N} <: AbstractArray{T,N}
    dims::NTuple{N,Int}
end
Base.size(a::ElsewhereArray) = a.dims
Base.similar(a::ElsewhereArray, ::Type{T}, dims::Dims{N}) where {T,N} = ElsewhereArray{T,N}(dims)

@testset "what the library works on" begin
    @test XConv.supports(zeros(Float32, 2)) && XConv.supports(view(zeros(2, 2), :, 1:1))
    @test XConv.supports(1.0f0:3.0f0)                          # becomes an Array
    @test !XConv.supports(zeros(Int, 2)) && !XConv.supports(2) && !XConv.supports(Int)
    @test XConv.supports(FakeArray(zeros(Float32, 2)))
    @test !XConv.supports(ElsewhereArray{Float32,4}((8, 6, 4, 6)))
    @test_throws ArgumentError XConv.conv(ElsewhereArray{Float32,4}((8, 6, 4, 6)), zeros(Float32, 1, 1, 4, 1))
end
