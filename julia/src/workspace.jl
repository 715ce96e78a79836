# Scratch memory for the library, reused from call to call: fresh pages would cost
# more than many a convolution.

"""Buffers that no call is using, up to `limit` bytes altogether."""
mutable struct WorkspacePool
    lock::ReentrantLock
    idle::Vector{Vector{UInt8}}
    limit::Int
end

const workspace_pool = WorkspacePool(ReentrantLock(), Vector{UInt8}[], 512 * 2^20)

idle_bytes(pool::WorkspacePool) = isempty(pool.idle) ? 0 : sum(length, pool.idle)

"""A buffer of at least `bytes`: the smallest idle one that is large enough, or a
new one in the place of the largest."""
function acquire!(pool::WorkspacePool, bytes::Integer)
    lock(pool.lock)
    try
        fitting = 0
        for (i, b) in enumerate(pool.idle)
            length(b) >= bytes || continue
            (fitting == 0 || length(b) < length(pool.idle[fitting])) && (fitting = i)
        end
        fitting == 0 || return popat_index!(pool.idle, fitting)
        # None fits: give the largest back to the garbage collector, so that a
        # growing need does not leave a trail of buffers behind.
        isempty(pool.idle) || popat_index!(pool.idle, argmax(map(length, pool.idle)))
    finally
        unlock(pool.lock)
    end
    return Vector{UInt8}(undef, bytes)
end

popat_index!(list, i) = (item = list[i]; deleteat!(list, i); item)

function release!(pool::WorkspacePool, buffer::Vector{UInt8})
    lock(pool.lock)
    try
        idle_bytes(pool) + length(buffer) <= pool.limit && push!(pool.idle, buffer)
    finally
        unlock(pool.lock)
    end
    return nothing
end

Base.empty!(pool::WorkspacePool) = (lock(() -> empty!(pool.idle), pool.lock); pool)

"""Run `call(pointer, bytes)` with scratch memory of that size."""
@inline function with_workspace(call, ::CPU, bytes::Integer)
    bytes == 0 && return call(C_NULL, 0)
    buffer = acquire!(workspace_pool, bytes)
    try
        return GC.@preserve buffer call(address(buffer), length(buffer))
    finally
        release!(workspace_pool, buffer)
    end
end

"""Take back an array that nothing enqueued from now on will use."""
release!(::Device, buffer) = nothing

# Other devices have allocators of their own that take and give in the stream's order.
function with_workspace(call, d::Device, bytes::Integer)
    bytes == 0 && return call(C_NULL, 0)
    buffer = allocate(d, UInt8, (Int(bytes),))
    try
        return GC.@preserve buffer call(address(buffer), length(buffer))
    finally
        release!(d, buffer)
    end
end
