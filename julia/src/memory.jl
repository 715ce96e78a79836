# How much memory an object holds on to, by looking: a pullback is an object like
# any other, so what it keeps for the backward pass can be added up.

"""
    XConv.kept_bytes(object; except=())

Bytes of all distinct arrays that can be reached from `object`, not counting those
that can be reached from `except` (a model's parameters, the images).
"""
function kept_bytes(object; except=())
    walk = ArrayWalk()
    visit!(walk, except)
    excluded = copy(walk.arrays)
    walk = ArrayWalk()
    visit!(walk, object)
    return sum(Int[bytes for (at, bytes) in walk.arrays if !haskey(excluded, at)])
end

"""Arrays seen so far, by where their data starts: reshaped arrays share it."""
struct ArrayWalk
    arrays::Dict{UInt,Int}
    seen::IdDict{Any,Nothing}
end
ArrayWalk() = ArrayWalk(Dict{UInt,Int}(), IdDict{Any,Nothing}())

function visit!(walk::ArrayWalk, object)
    pending = Any[object]
    while !isempty(pending)
        item = pop!(pending)
        isopaque(item) && continue
        if ismutable_object(item)
            haskey(walk.seen, item) && continue
            walk.seen[item] = nothing
        end
        push_parts!(pending, walk, item)
    end
    return walk
end

# Types and code lead to all of Julia; plain numbers lead nowhere.
isopaque(item) = isbits(item) || item isa Union{Type,Module,Symbol,Method,Core.MethodInstance,
    Task,WeakRef,AbstractString,Ptr,Plan,Context}

ismutable_object(item) = !isimmutable_type(typeof(item))
isimmutable_type(T::DataType) =
    isdefined(Base, :ismutabletype) ? !Base.ismutabletype(T) : !T.mutable

function push_parts!(pending, walk, item)
    storage_device(item) === nothing || return push_array!(pending, walk, item)
    if isdefined(Core, :GenericMemory) && item isa Core.GenericMemory
        for i in eachindex(item)
            isbitstype(eltype(item)) && break
            isassigned(item, i) && push!(pending, item[i])
        end
        return nothing
    end
    for i in 1:nfields(item)
        isdefined(item, i) && push!(pending, getfield(item, i))
    end
    return nothing
end

function push_array!(pending, walk, item)
    if isbitstype(eltype(item))
        isempty(item) && return nothing
        at = UInt(address(item))
        walk.arrays[at] = max(get(walk.arrays, at, 0), sizeof(item))
    else
        append!(pending, (item[i] for i in eachindex(item) if isassigned(item, i)))
    end
    return nothing
end
