# xconv.h in Julia: structs, enums and functions, in the header's order. The test
# "header" parses xconv.h and fails when anything here drifts from it.

const Status = Int32

"""Every enumerator of the header, by name."""
const ENUMS = Dict{Symbol,Int32}()

macro enumerators(names...)
    block = Expr(:block)
    for (value, name) in enumerate(names)
        push!(block.args, :(const $(esc(name)) = Int32($(value - 1))))
        push!(block.args, :(ENUMS[$(QuoteNode(name))] = Int32($(value - 1))))
    end
    return block
end

@enumerators(XCONV_SUCCESS, XCONV_INVALID_ARGUMENT, XCONV_OVERFLOW, XCONV_BUFFER_TOO_SMALL,
    XCONV_UNSUPPORTED, XCONV_MISMATCH, XCONV_OUT_OF_MEMORY, XCONV_DEVICE_ERROR, XCONV_INTERNAL)
@enumerators(XCONV_F32, XCONV_F64, XCONV_F16, XCONV_BF16)
@enumerators(XCONV_CPU, XCONV_CUDA)
@enumerators(XCONV_IDENTITY, XCONV_DENSE, XCONV_ORTHOGONAL, XCONV_INDEPENDENT)
@enumerators(XCONV_RADEMACHER, XCONV_GAUSSIAN, XCONV_UNIFORM)
@enumerators(XCONV_CONTRACTION_AUTO, XCONV_DY_FIRST, XCONV_X_FIRST)
@enumerators(XCONV_QUERY_X_BYTES, XCONV_QUERY_W_BYTES, XCONV_QUERY_Y_BYTES,
    XCONV_QUERY_BIAS_BYTES, XCONV_QUERY_SKETCH_BYTES, XCONV_QUERY_OUT_SIZE_0,
    XCONV_QUERY_OUT_SIZE_1, XCONV_QUERY_OUT_SIZE_2, XCONV_QUERY_WORKSPACE_FORWARD,
    XCONV_QUERY_WORKSPACE_SKETCH, XCONV_QUERY_WORKSPACE_BACKWARD_FILTER,
    XCONV_QUERY_WORKSPACE_BACKWARD_FILTER_EXACT, XCONV_QUERY_WORKSPACE_BACKWARD_DATA,
    XCONV_QUERY_WORKSPACE_MAX, XCONV_QUERY_CONTRACTION, XCONV_QUERY_DW_BYTES,
    XCONV_QUERY_DB_BYTES)
@enumerators(XCONV_POOL_OUT_SIZE_0, XCONV_POOL_OUT_SIZE_1, XCONV_POOL_OUT_SIZE_2,
    XCONV_POOL_INDEX_BITS, XCONV_POOL_INDEX_BYTES)
@enumerators(XCONV_ADVISE_CAPACITY, XCONV_ADVISE_WORKSPACE)

const Triple = NTuple{3,Int64}

struct ContextDesc
    struct_size::Csize_t
    device::Int32
    device_index::Int32
    threads::Int32
    allow_tf32::Int32
    stream::Ptr{Cvoid}
end

struct ConvDesc
    struct_size::Csize_t
    rank::Int32
    dtype::Int32
    flip::Int32
    float32_dw::Int32
    batch::Int64
    in_channels::Int64
    out_channels::Int64
    groups::Int64
    in_size::Triple
    kernel::Triple
    stride::Triple
    dilation::Triple
    pad_begin::Triple
    pad_end::Triple
end

struct SchemeDesc
    struct_size::Csize_t
    projection::Int32
    distribution::Int32
    probes::Int64
    deflate_mean::Int32
    bits::Int32
    group::Int64
end

struct PlanOptions
    struct_size::Csize_t
    contraction::Int32
    reserved::Int32
    workspace_limit::Int64
end

struct PoolDesc
    struct_size::Csize_t
    rank::Int32
    dtype::Int32
    batch::Int64
    channels::Int64
    in_size::Triple
    kernel::Triple
    stride::Triple
    pad_begin::Triple
    pad_end::Triple
end

struct AdviseOptions
    struct_size::Csize_t
    draws::Int32
    reserved::Int32
    budget_bytes::Int64
    max_noise::Float64
    seconds::Float64
    seed::UInt64
end

struct AdviceEntry
    kept_bytes::Int64
    relative_variance::Float64
    variance_error::Float64
    milliseconds::Float64
    on_front::Int32
    recommended::Int32
    scheme::SchemeDesc
end

"""Julia's mirror of each struct of the header."""
const STRUCTS = Dict(:xconv_context_desc => ContextDesc, :xconv_conv_desc => ConvDesc,
    :xconv_scheme_desc => SchemeDesc, :xconv_plan_options => PlanOptions,
    :xconv_pool_desc => PoolDesc, :xconv_advise_options => AdviseOptions,
    :xconv_advice => AdviceEntry)

"""Return and argument types of each function of the header."""
const SIGNATURES = Dict{Symbol,Tuple{DataType,Vector{Any}}}()
const function_pointers = Dict{Symbol,Base.RefValue{Ptr{Cvoid}}}()

reset_handles() = foreach(p -> p[] = C_NULL, values(function_pointers))

@noinline function resolve(name::Symbol, pointer::Base.RefValue{Ptr{Cvoid}})
    f = Libdl.dlsym(load_library(), name; throw_error=false)
    f === nothing && throw(LibraryError("$(library_location[]) does not export $name.\n$HELP"))
    return pointer[] = f
end

"""
    @api name(argument::Type, …)::Return

Define `name` as a call of the library's function of that name. The address is
looked up once; the signature is recorded for the test against the header.
"""
macro api(declaration)
    call, ret = declaration.args
    name = call.args[1]
    arguments = [a.args[1] for a in call.args[2:end]]
    types = [a.args[2] for a in call.args[2:end]]
    pointer = Symbol("pointer_", name)
    quote
        const $(esc(pointer)) = Ref{Ptr{Cvoid}}(C_NULL)
        function_pointers[$(QuoteNode(name))] = $(esc(pointer))
        SIGNATURES[$(QuoteNode(name))] = ($(esc(ret)), Any[$(map(esc, types)...)])
        function $(esc(name))($(map(esc, arguments)...))
            address = $(esc(pointer))[]
            address == C_NULL && (address = resolve($(QuoteNode(name)), $(esc(pointer))))
            return ccall(address, $(esc(ret)), ($(map(esc, types)...),), $(map(esc, arguments)...))
        end
    end
end

const Handle = Ptr{Cvoid}
const Bytes = Ptr{Cvoid}

@api xconv_status_name(status::Int32)::Cstring
@api xconv_last_error()::Cstring
@api xconv_version()::Int32
@api xconv_git_hash()::Cstring
@api xconv_backends()::Cstring

@api xconv_context_create(desc::Ref{ContextDesc}, context::Ref{Handle})::Status
@api xconv_context_destroy(context::Handle)::Cvoid
@api xconv_context_threads(context::Handle, threads::Ref{Int32})::Status

@api xconv_plan_create(context::Handle, conv::Ref{ConvDesc}, scheme::Ref{SchemeDesc},
    options::Ref{PlanOptions}, plan::Ref{Handle})::Status
@api xconv_plan_destroy(plan::Handle)::Cvoid
@api xconv_plan_query(plan::Handle, query::Int32, value::Ref{Int64})::Status
@api xconv_plan_describe(plan::Handle, buffer::Ptr{UInt8}, size::Csize_t,
    length::Ref{Csize_t})::Status

@api xconv_forward(context::Handle, plan::Handle, x::Bytes, w::Bytes, bias::Bytes, y::Bytes,
    seed::UInt64, sketch::Bytes, sketch_bytes::Csize_t, workspace::Bytes,
    workspace_bytes::Csize_t)::Status
@api xconv_sketch(context::Handle, plan::Handle, x::Bytes, seed::UInt64, sketch::Bytes,
    sketch_bytes::Csize_t, workspace::Bytes, workspace_bytes::Csize_t)::Status
@api xconv_backward_filter(context::Handle, plan::Handle, sketch::Bytes, sketch_bytes::Csize_t,
    seed::UInt64, dy::Bytes, beta::Float64, dw::Bytes, workspace::Bytes,
    workspace_bytes::Csize_t)::Status
@api xconv_backward_filter_exact(context::Handle, plan::Handle, x::Bytes, dy::Bytes,
    beta::Float64, dw::Bytes, workspace::Bytes, workspace_bytes::Csize_t)::Status
@api xconv_backward_data(context::Handle, plan::Handle, w::Bytes, dy::Bytes, dx::Bytes,
    workspace::Bytes, workspace_bytes::Csize_t)::Status
@api xconv_backward_bias(context::Handle, plan::Handle, dy::Bytes, beta::Float64,
    db::Bytes)::Status

@api xconv_advise_query(context::Handle, conv::Ref{ConvDesc}, options::Ref{AdviseOptions},
    need::Int32, value::Ref{Int64})::Status
@api xconv_advise(context::Handle, conv::Ref{ConvDesc}, x::Bytes, dy::Bytes,
    options::Ref{AdviseOptions}, advice::Ref{AdviceEntry}, entry_bytes::Csize_t,
    capacity::Csize_t, count::Ref{Csize_t}, batch_noise::Ref{Float64}, workspace::Bytes,
    workspace_bytes::Csize_t)::Status

@api xconv_relu_mask_bytes(count::Int64, bytes::Ref{Int64})::Status
@api xconv_relu_forward(context::Handle, dtype::Int32, count::Int64, negative_slope::Float64,
    ceiling::Float64, x::Bytes, y::Bytes, mask::Bytes, mask_bytes::Csize_t)::Status
@api xconv_relu_backward(context::Handle, dtype::Int32, count::Int64, negative_slope::Float64,
    mask::Bytes, mask_bytes::Csize_t, dy::Bytes, dx::Bytes)::Status

@api xconv_maxpool_query(desc::Ref{PoolDesc}, query::Int32, value::Ref{Int64})::Status
@api xconv_maxpool_forward(context::Handle, desc::Ref{PoolDesc}, x::Bytes, y::Bytes,
    index::Bytes, index_bytes::Csize_t)::Status
@api xconv_maxpool_backward(context::Handle, desc::Ref{PoolDesc}, index::Bytes,
    index_bytes::Csize_t, dy::Bytes, dx::Bytes)::Status
