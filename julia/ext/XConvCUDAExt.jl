# CuArrays: where they live, how the library gets at them, and in which order of work.
#
# The library only queues work, on the stream that its context was given: the stream of
# the task that calls. Taking a CuArray's pointer makes that stream the owner of its
# memory, waiting for another owner first, and CUDA.jl returns memory to its pool in the
# owner's order. So arrays have to be kept from the garbage collector until the work is
# queued, which every call does, and not until it is done.
module XConvCUDAExt

using CUDA: CUDA, CuArray, CuPtr
using XConv: XConv, ContextDesc

"""A GPU by its number in CUDA, from 0, and whether Float32 products may be rounded to
TF32 there."""
struct GPU <: XConv.Device
    index::Int
    tf32::Bool
end

# As everywhere in CUDA.jl, TF32 is what `CUDA.math_mode!(CUDA.FAST_MATH)` asks for.
# Plans remember it; arrays and sketches go with either.
XConv.storage_device(x::CuArray) =
    GPU(CUDA.deviceid(CUDA.device(x)), CUDA.math_mode() == CUDA.FAST_MATH)
XConv.same_place(a::GPU, b::GPU) = a.index == b.index
XConv.device_key(d::GPU) = (XConv.XCONV_CUDA, Int32(d.index), Int(d.tf32))
XConv.raw(p::CuPtr) = Ptr{Cvoid}(UInt(p))

function XConv.context_desc(d::GPU)
    current = CUDA.deviceid(CUDA.device())
    current == d.index || throw(ArgumentError(
        "the arrays are on GPU $(d.index), but this task works on GPU $current; " *
        "CUDA.device!($(d.index)) changes that"))
    return ContextDesc(sizeof(ContextDesc), XConv.XCONV_CUDA, d.index, 0, d.tf32,
        Ptr{Cvoid}(CUDA.stream().handle))
end

# A context must not outlive its stream.
XConv.context_owner(::GPU) = CUDA.stream()

# From the pool of CUDA.jl, and back in the stream's order.
XConv.allocate(::GPU, ::Type{T}, dims::Dims{N}) where {T,N} = CuArray{T,N}(undef, dims)
XConv.release!(::GPU, buffer::CuArray) = CUDA.unsafe_free!(buffer)

end
