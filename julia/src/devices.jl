# Where arrays live, and what an array's device has to be able to do. The CPU is built
# in; an extension adds another one by giving these functions methods for its arrays.
# Nothing else in the package asks what kind of array it has.

"""A memory, and what works on it."""
abstract type Device end

"""This machine, with so many threads per call; 0 is OpenMP's own choice."""
struct CPU <: Device
    threads::Int
end

const thread_count = Threads.Atomic{Int}(0)

"""
    XConv.set_threads!(n)

CPU threads per call of the library from now on; 0, the default, is OpenMP's own
choice. Results do not depend on it.
"""
function set_threads!(n::Integer)
    n >= 0 || throw(ArgumentError("the number of threads must not be negative, got $n"))
    thread_count[] = n
    return nothing
end

"""The device of an array that has its memory to itself and no gaps in it; nothing for
all other arrays."""
storage_device(x) = nothing
storage_device(x::Array) = CPU(thread_count[])

"""The device where a copy of `x` would live: its own. Lazy arrays (ranges, fills,
adjoints) make Arrays when asked for similar ones."""
device(x::Array) = storage_device(x)
function device(x::AbstractArray{T,N}) where {T,N}
    own = storage_device(x)
    return own === nothing ? storage_device(similar(x, T, ntuple(_ -> 0, Val(N)))) : own
end

"""A descriptor of contexts on this device, for the running task."""
context_desc(d::CPU) = ContextDesc(sizeof(ContextDesc), XCONV_CPU, 0, d.threads, 0, C_NULL)

"""What has to live as long as a context that was made from `context_desc(d)`."""
context_owner(d::Device) = nothing

"""What tells devices apart in the cache of plans."""
device_key(d::CPU) = (XCONV_CPU, Int32(0), d.threads)

"""A new array of this device."""
allocate(::CPU, ::Type{T}, dims::Dims{N}) where {T,N} = Array{T,N}(undef, dims)

"""The address of a device's pointer, for the library."""
raw(p::Ptr) = Ptr{Cvoid}(p)

same_place(::CPU, ::CPU) = true
same_place(a, b) = a == b

# ------------------------------------------------------------ what a device can do

const known_support = Dict{Tuple{DataType,Tuple{Int32,Int32,Int}},Bool}()
const known_support_lock = ReentrantLock()

"""
    XConv.supports(x)
    XConv.supports(T, [device])

Whether the library, as it was built, works on this array, or on element type `T`.
"""
supports(x) = false
supports(x::Array{<:Union{Float32,Float64}}) = true
function supports(x::AbstractArray{T}) where {T<:Elements}
    d = device(x)
    return d !== nothing && supports(T, d)
end

function supports(T::Type, d::Device=CPU(0))
    T <: Elements || return false
    key = (T, device_key(d))
    lock(known_support_lock) do
        get!(() -> ask_support(T, d), known_support, key)
    end
end

"""The library's answer, to the smallest convolution there is."""
function ask_support(T, d)
    context, plan = Ref{Handle}(C_NULL), Ref{Handle}(C_NULL)
    created = xconv_context_create(Ref(context_desc(d)), context)
    created == XCONV_SUCCESS || return false
    conv = ConvDesc(T, (1, 1, 1), (1, 1, 1), ConvOptions(Val(1)))
    status = xconv_plan_create(context[], Ref(conv), Ref(SchemeDesc(Exact())),
        Ref(PLAN_DEFAULTS), plan)
    xconv_plan_destroy(plan[])
    xconv_context_destroy(context[])
    status == XCONV_UNSUPPORTED && return false
    check(status)
    return true
end
