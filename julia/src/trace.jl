# A log of the library's calls, for people who look for time and for tests that
# count. It belongs to the task and costs one look-up per call when it is off.

"""One call of the library: which pass, how long, and how much scratch memory."""
struct TracedCall
    pass::Symbol
    seconds::Float64
    workspace_bytes::Int
end

const TRACE_KEY = :XConv_trace

"""
    XConv.trace(f) -> (value, calls)

Run `f()` and list the library calls that the task made meanwhile.
"""
function trace(f)
    calls = TracedCall[]
    value = task_local_storage(f, TRACE_KEY, calls)
    return value, calls
end

@inline function traced(call, pass::Symbol, workspace_bytes::Integer)
    calls = get(task_local_storage(), TRACE_KEY, nothing)
    calls === nothing && return call()
    start = time_ns()
    value = call()
    push!(calls::Vector{TracedCall}, TracedCall(pass, (time_ns() - start) / 1e9, workspace_bytes))
    return value
end
