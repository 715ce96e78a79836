# Contexts and plans: handles of the library, made once per geometry, shared by all
# tasks, freed by finalizers.

mutable struct Context
    handle::Handle
    owner::Any    # of what the descriptor points to

    function Context(desc::ContextDesc, owner=nothing)
        handle = Ref{Handle}(C_NULL)
        check(xconv_context_create(Ref(desc), handle))
        return finalizer(destroy, new(handle[], owner))
    end
end

function destroy(context::Context)
    xconv_context_destroy(context.handle)
    context.handle = C_NULL
end

const PLAN_DEFAULTS = PlanOptions(sizeof(PlanOptions), XCONV_CONTRACTION_AUTO, 0, 0)

"""One convolution with one scheme on one device, validated and prepared by the library.
Nothing changes after it is made, so any number of tasks may use it at once."""
mutable struct Plan
    handle::Handle
    device::Device
    context::Context
    conv::ConvDesc
    scheme::Scheme
    out_size::Triple
    sketch_bytes::Int
    workspace::NTuple{5,Int}

    function Plan(device::Device, context::Context, conv::ConvDesc, scheme::Scheme)
        handle = Ref{Handle}(C_NULL)
        GC.@preserve context check(xconv_plan_create(context.handle, Ref(conv),
            Ref(SchemeDesc(scheme)), Ref(PLAN_DEFAULTS), handle))
        ask(what) = Int(query(handle[], what))
        out = (ask(XCONV_QUERY_OUT_SIZE_0), ask(XCONV_QUERY_OUT_SIZE_1),
            ask(XCONV_QUERY_OUT_SIZE_2))
        Threads.atomic_add!(live_plans, 1)
        return finalizer(destroy, new(handle[], device, context, conv, scheme, out,
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

"""
    run_pass(call, plan, pass, which)

`call(context, plan, scratch, bytes)` with the handles, in the running task's order of
work, and the scratch memory that the pass needs: entry `which` of `plan.workspace`.
"""
@inline function run_pass(call, p::Plan, pass::Symbol, which::Int)
    bytes = which == 0 ? 0 : p.workspace[which]
    traced(pass, bytes) do
        with_workspace(p.device, bytes) do scratch, scratch_bytes
            ctx = context_for(p)
            GC.@preserve ctx p check(call(ctx.handle, p.handle, scratch, scratch_bytes))
        end
    end
end

# --------------------------------------------------------- contexts and the cache

const PlanKey = Tuple{ConvDesc,SchemeDesc,Tuple{Int32,Int32,Int}}

mutable struct CacheEntry
    plan::Plan
    last_use::Int
end

"""Plans by geometry, scheme and device. At `limit` entries the one that was
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

"""The context that everybody shares on the CPU."""
function context(d::CPU, cache::PlanCache=plan_cache)
    lock(cache.lock) do
        get!(() -> Context(context_desc(d)), cache.contexts, d.threads)
    end
end

const CONTEXTS_KEY = :XConv_contexts
const MOST_CONTEXTS = 16    # of one task: it seldom uses more than one stream

"""The running task's context on another device, where work of different tasks goes to
different streams."""
function context(d::Device)
    mine = get!(() -> Dict{ContextDesc,Context}(), task_local_storage(),
        CONTEXTS_KEY)::Dict{ContextDesc,Context}
    desc = context_desc(d)
    haskey(mine, desc) || length(mine) < MOST_CONTEXTS || empty!(mine)
    return get!(() -> Context(desc, context_owner(d)), mine, desc)
end

"""The context to run a plan's passes on, now."""
context_for(p::Plan) = p.device isa CPU ? p.context : context(p.device)

"""The plan of a convolution, from the cache if it was made before."""
function plan_for(conv::ConvDesc, scheme::Scheme, d::Device, cache::PlanCache=plan_cache)
    key = (conv, SchemeDesc(scheme), device_key(d))
    found = lookup(cache, key)
    found === nothing || return found
    # Made outside the lock: it takes time, and other tasks should not wait. If two
    # tasks make the same plan, one of the two is dropped.
    return insert!(cache, key, Plan(d, context(d), conv, scheme))
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
