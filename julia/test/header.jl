# The ccall layer against xconv.h itself: enumerators, struct layouts, prototypes.

const HEADER = normpath(joinpath(@__DIR__, "..", "..", "capi", "include", "xconv", "xconv.h"))

"""What the header declares, parsed from its text."""
struct Declarations
    enums::Dict{Symbol,Int32}
    structs::Dict{Symbol,Vector{Tuple{String,Symbol,Int}}}  # C type, field, array length
    functions::Dict{Symbol,Tuple{String,Vector{String}}}    # C return type, argument types
    version::VersionNumber
end

function parse_header(text)
    version = VersionNumber((parse(Int, match(Regex("XCONV_VERSION_$part (\\d+)"), text).captures[1])
                             for part in ("MAJOR", "MINOR", "PATCH"))...)
    code = replace(text, r"/\*.*?\*/"s => "")
    code = replace(code, r"^#.*?(?<!\\)$"ms => "")
    return Declarations(parse_enums(code), parse_structs(code), parse_functions(code), version)
end

function parse_enums(code)
    enums = Dict{Symbol,Int32}()
    for body in eachmatch(r"enum\s*\{(.*?)\}"s, code), item in split(body.captures[1], ',')
        isempty(strip(item)) && continue
        m = match(r"^\s*(\w+)\s*=\s*(\d+)\s*$", item)
        m === nothing && error("cannot read the enumerator $(repr(item))")
        enums[Symbol(m.captures[1])] = parse(Int32, m.captures[2])
    end
    return enums
end

function parse_structs(code)
    structs = Dict{Symbol,Vector{Tuple{String,Symbol,Int}}}()
    for s in eachmatch(r"typedef struct (\w+)\s*\{(.*?)\}\s*(\w+);"s, code)
        fields = Tuple{String,Symbol,Int}[]
        for line in split(s.captures[2], ';')
            isempty(strip(line)) && continue
            m = match(r"^\s*(\w+\s*\**)\s*(\w+)(?:\[(\d+)\])?\s*$", line)
            m === nothing && error("cannot read the field $(repr(line))")
            count = m.captures[3] === nothing ? 0 : parse(Int, m.captures[3])
            push!(fields, (c_type(m.captures[1]), Symbol(m.captures[2]), count))
        end
        structs[Symbol(s.captures[3])] = fields
    end
    return structs
end

function parse_functions(code)
    functions = Dict{Symbol,Tuple{String,Vector{String}}}()
    for f in eachmatch(r"XCONV_API\s+([^;(]*?)(\w+)\(([^)]*)\);"s, code)
        arguments = String[]
        for a in split(f.captures[3], ',')
            strip(a) == "void" && continue
            push!(arguments, c_type(match(r"^(.*?)\w+\s*$"s, a).captures[1]))
        end
        functions[Symbol(f.captures[2])] = (c_type(f.captures[1]), arguments)
    end
    return functions
end

"""A C type in one spelling: no const, no spaces around stars."""
c_type(text) = replace(join(split(replace(text, r"\bconst\b" => "")), " "), " *" => "*")

const SCALARS = Dict("int32_t" => Int32, "int64_t" => Int64, "uint64_t" => UInt64,
    "size_t" => Csize_t, "double" => Float64, "void" => Cvoid, "xconv_status" => Int32,
    "xconv_dtype" => Int32, "xconv_device" => Int32, "xconv_projection" => Int32,
    "xconv_distribution" => Int32, "xconv_contraction" => Int32, "xconv_query" => Int32,
    "xconv_pool_query" => Int32, "xconv_advise_need" => Int32)

"""Julia types that may stand for a C type in a ccall."""
function julia_types(c)
    haskey(SCALARS, c) && return Any[SCALARS[c]]
    c == "char*" && return Any[Cstring, Ptr{UInt8}]
    haskey(XConv.STRUCTS, Symbol(c)) && return Any[XConv.STRUCTS[Symbol(c)]]
    c in ("void*", "xconv_context*", "xconv_plan*") && return Any[Ptr{Cvoid}]
    c in ("xconv_context**", "xconv_plan**") && return Any[Ref{Ptr{Cvoid}}]
    pointee = c[1:end-1]
    haskey(XConv.STRUCTS, Symbol(pointee)) && return Any[Ref{XConv.STRUCTS[Symbol(pointee)]}]
    haskey(SCALARS, pointee) && return Any[Ref{SCALARS[pointee]}]
    return Any[]    # unknown: whatever stands for it has drifted
end

"""Every difference between the header and XConv's ccall layer, in words."""
function header_drift(text)
    d = parse_header(text)
    drift = String[]
    d.version == XConv.ABI_VERSION || push!(drift, "version $(d.version)")
    compare_names!(drift, "enumerator", d.enums, XConv.ENUMS)
    compare_names!(drift, "struct", d.structs, XConv.STRUCTS)
    compare_names!(drift, "function", d.functions, XConv.SIGNATURES)
    for (name, value) in d.enums
        get(XConv.ENUMS, name, value) == value || push!(drift, "value of $name")
    end
    for (name, fields) in d.structs
        haskey(XConv.STRUCTS, name) && compare_struct!(drift, name, fields, XConv.STRUCTS[name])
    end
    for (name, (ret, arguments)) in d.functions
        haskey(XConv.SIGNATURES, name) || continue
        jl_ret, jl_arguments = XConv.SIGNATURES[name]
        length(arguments) == length(jl_arguments) && jl_ret in julia_types(ret) &&
            all(j in julia_types(c) for (c, j) in zip(arguments, jl_arguments)) ||
            push!(drift, "prototype of $name")
    end
    return drift
end

function compare_names!(drift, kind, header, julia)
    foreach(n -> push!(drift, "$kind $n is not in XConv.jl"), setdiff(keys(header), keys(julia)))
    foreach(n -> push!(drift, "$kind $n is not in xconv.h"), setdiff(keys(julia), keys(header)))
end

"""Field by field: name, type, and the offset that C's layout rules give it."""
function compare_struct!(drift, name, fields, T)
    length(fields) == fieldcount(T) || return push!(drift, "number of fields of $name")
    offset = 0
    alignment = 1
    for (i, (c, field, count)) in enumerate(fields)
        types = julia_types(c)
        isempty(types) && return push!(drift, "type of field $field of $name")
        element = only(types)
        align = Base.datatype_alignment(element)
        offset = cld(offset, align) * align
        wanted = count == 0 ? element : NTuple{count,element}
        fieldname(T, i) == field && fieldtype(T, i) == wanted && fieldoffset(T, i) == offset ||
            push!(drift, "field $field of $name")
        offset += sizeof(element) * max(count, 1)
        alignment = max(alignment, align)
    end
    sizeof(T) == cld(offset, alignment) * alignment || push!(drift, "size of $name")
end

@testset "header" begin
    text = read(HEADER, String)
    @test header_drift(text) == String[]
    d = parse_header(text)
    @test length(d.functions) == length(collect(eachmatch(r"^XCONV_API "m, text)))
    @test length(d.structs) == length(collect(eachmatch(r"^typedef struct \w+ \{"m, text)))

    # Each kind of drift is noticed.
    function drifts(change)
        changed = replace(text, change)
        return changed != text && !isempty(header_drift(changed))
    end
    @test drifts("XCONV_F64 = 1" => "XCONV_F64 = 4")
    @test drifts("XCONV_GAUSSIAN = 1," => "")
    @test drifts("int32_t flip; " => "int64_t flip; ")
    @test drifts("int32_t flip; " => "int32_t mirror; ")
    @test drifts("int64_t groups;       /* >= 1; Ci" => "/* gone: Ci")
    @test drifts("int64_t dilation[3];" => "int64_t dilation[4];")
    @test drifts("double beta, void *db" => "float beta, void *db")
    @test drifts("double beta, void *db" => "void *db")
    @test drifts("xconv_git_hash(void)" => "xconv_commit(void)")
    @test drifts("uint64_t seed, void *sketch" => "int64_t seed, void *sketch")
    @test drifts("XCONV_VERSION_MINOR 1" => "XCONV_VERSION_MINOR 2")
end
