# What XConvCUDAExt asks of CUDA.jl, in ordinary memory: the names and meanings are
# CUDA.jl's own. The task's GPU, stream and mathematics are whatever a test says.
module CUDA

primitive type CuPtr{T} 64 end
CuPtr{T}(x::UInt) where {T} = reinterpret(CuPtr{T}, x)
Base.UInt(p::CuPtr) = reinterpret(UInt, p)

struct CuDevice
    handle::Int
end
mutable struct CuStream
    const handle::Ptr{Cvoid}
end
@enum MathMode PEDANTIC_MATH DEFAULT_MATH FAST_MATH

const task_device = Ref(CuDevice(0))
const task_stream = Ref(CuStream(Ptr{Cvoid}(UInt(16))))
const task_math = Ref(DEFAULT_MATH)
device() = task_device[]
device!(index::Integer) = (task_device[] = CuDevice(index); nothing)
deviceid(d::CuDevice) = d.handle
stream() = task_stream[]
math_mode() = task_math[]
math_mode!(mode::MathMode) = (task_math[] = mode; nothing)

mutable struct CuArray{T,N,M} <: DenseArray{T,N}
    const data::Array{T,N}
    const device::CuDevice
    freed::Bool
end
CuArray{T,N}(::UndefInitializer, dims::Dims{N}) where {T,N} =
    CuArray{T,N,Nothing}(Array{T,N}(undef, dims), device(), false)
CuArray(a::Array{T,N}) where {T,N} = CuArray{T,N,Nothing}(copy(a), device(), false)
device(a::CuArray) = a.device
unsafe_free!(a::CuArray) = (a.freed = true; nothing)

Base.size(a::CuArray) = size(a.data)
Base.getindex(::CuArray, ::Int...) = error("a number was read on its own")
Base.similar(::CuArray, ::Type{T}, dims::Dims{N}) where {T,N} = CuArray{T,N}(undef, dims)
Base.pointer(a::CuArray{T}) where {T} = CuPtr{T}(UInt(pointer(a.data)))
Base.Array(a::CuArray) = copy(a.data)

end
