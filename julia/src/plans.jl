# Contexts and plans: handles of the library, made once per geometry, shared by all
# tasks, freed by finalizers.

mutable struct Context
    handle::Handle
    threads::Int

    function Context(threads::Integer)
        desc = ContextDesc(sizeof(ContextDesc), XCONV_CPU, 0, threads, 0, C_NULL)
        handle = Ref{Handle}(C_NULL)
        check(xconv_context_create(Ref(desc), handle))
        return finalizer(destroy, new(handle[], threads))
    end
end

function destroy(context::Context)
    xconv_context_destroy(context.handle)
    context.handle = C_NULL
end

"""One convolution with one scheme, validated and prepared by the library. Nothing
changes after it is made, so any number of tasks may use it at once."""
mutable struct Plan
    handle::Handle
    context::Context
    conv::ConvDesc
    scheme::Scheme
    out_size::Triple
    sketch_bytes::Int
    workspace::NTuple{5,Int}

    function Plan(context::Context, conv::ConvDesc, scheme::Scheme)
        handle = Ref{Handle}(C_NULL)
        options = PlanOptions(sizeof(PlanOptions), XCONV_CONTRACTION_AUTO, 0, 0)
        GC.@preserve context check(xconv_plan_create(context.handle, Ref(conv),
            Ref(SchemeDesc(scheme)), Ref(options), handle))
        ask(what) = Int(query(handle[], what))
        out = (ask(XCONV_QUERY_OUT_SIZE_0), ask(XCONV_QUERY_OUT_SIZE_1),
            ask(XCONV_QUERY_OUT_SIZE_2))
        Threads.atomic_add!(live_plans, 1)
        return finalizer(destroy, new(handle[], context, conv, scheme, out,
            ask(XCONV_QUERY_SKETCH_BYTES), map(ask, WORKSPACE_QUERIES)))
    end
end

"""Number of plans not yet destroyed. Atomic: finalizers run on any thread."""
const live_plans = Threads.Atomic{Int}(0)

function destroy(plan::Plan)
    xconv_plan_destroy(plan.handle)
    plan.handle = C_NULL
    Threads.atomic_sub!(live_plans, 1)
end

# In the order of Plan.workspace.
const WORKSPACE_QUERIES = (XCONV_QUERY_WORKSPACE_FORWARD, XCONV_QUERY_WORKSPACE_SKETCH,
    XCONV_QUERY_WORKSPACE_BACKWARD_FILTER, XCONV_QUERY_WORKSPACE_BACKWARD_FILTER_EXACT,
    XCONV_QUERY_WORKSPACE_BACKWARD_DATA)

function query(plan::Handle, what::Int32)
    value = Ref{Int64}(0)
    check(xconv_plan_query(plan, what, value))
    return value[]
end

"""
    XConv.describe(plan)

The library's account of a plan: geometry, scheme, order of contraction, kernels.
"""
function describe(plan::Plan)
    needed = Ref{Csize_t}(0)
    GC.@preserve plan begin
        check(xconv_plan_describe(plan.handle, Ptr{UInt8}(C_NULL), 0, needed))
        buffer = Vector{UInt8}(undef, needed[] + 1)
        check(xconv_plan_describe(plan.handle, pointer(buffer), length(buffer), needed))
    end
    return String(buffer[1:needed[]])
end

Base.show(io::IO, plan::Plan) = print(io, "XConv.Plan(", plan.scheme, ")")
Base.show(io::IO, ::MIME"text/plain", plan::Plan) = print(io, describe(plan))

xsize(plan::Plan, ::Val{N}) where {N} = (from_library(plan.conv.in_size, Val(N))...,
    Int(plan.conv.in_channels), Int(plan.conv.batch))
wsize(plan::Plan, ::Val{N}) where {N} = (from_library(plan.conv.kernel, Val(N))...,
    Int(plan.conv.in_channels ÷ plan.conv.groups), Int(plan.conv.out_channels))
ysize(plan::Plan, ::Val{N}) where {N} = (from_library(plan.out_size, Val(N))...,
    Int(plan.conv.out_channels), Int(plan.conv.batch))

# ------------------------------------------------------------------ the cache

const PlanKey = Tuple{ConvDesc,SchemeDesc,Int}

mutable struct CacheEntry
    plan::Plan
    last_use::Int
end

"""Plans by geometry, scheme and thread count. At `limit` entries the one that was
used least recently goes; who still holds it may go on using it."""
mutable struct PlanCache
    lock::ReentrantLock
    entries::Dict{PlanKey,CacheEntry}
    limit::Int
    clock::Int
    contexts::Dict{Int,Context}
end
PlanCache(limit) =
    PlanCache(ReentrantLock(), Dict{PlanKey,CacheEntry}(), limit, 0, Dict{Int,Context}())

const plan_cache = PlanCache(256)
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

"""The context of the current thread count."""
function context(cache::PlanCache=plan_cache)
    threads = thread_count[]
    lock(cache.lock) do
        get!(() -> Context(threads), cache.contexts, threads)
    end
end

"""The plan of a convolution, from the cache if it was made before."""
function plan_for(conv::ConvDesc, scheme::Scheme, cache::PlanCache=plan_cache)
    key = (conv, SchemeDesc(scheme), thread_count[])
    found = lookup(cache, key)
    found === nothing || return found
    # Made outside the lock: it takes time, and other tasks should not wait. If two
    # tasks make the same plan, one of the two is dropped.
    made = Plan(context(cache), conv, scheme)
    return insert!(cache, key, made)
end

function lookup(cache::PlanCache, key::PlanKey)
    lock(cache.lock)
    try
        entry = get(cache.entries, key, nothing)
        entry === nothing && return nothing
        entry.last_use = (cache.clock += 1)
        return entry.plan
    finally
        unlock(cache.lock)
    end
end

function Base.insert!(cache::PlanCache, key::PlanKey, plan::Plan)
    lock(cache.lock) do
        entry = get(cache.entries, key, nothing)
        entry === nothing || return entry.plan
        while length(cache.entries) >= cache.limit
            oldest = argmin_by(e -> e.second.last_use, cache.entries).first
            delete!(cache.entries, oldest)
        end
        cache.entries[key] = CacheEntry(plan, cache.clock += 1)
        return plan
    end
end

argmin_by(f, items) = reduce((a, b) -> f(b) < f(a) ? b : a, items)

"""
    XConv.empty_cache!()

Let go of all cached plans and scratch memory. Plans in use stay valid.
"""
function empty_cache!()
    lock(() -> empty!(plan_cache.entries), plan_cache.lock)
    empty!(workspace_pool)
    return nothing
end
