# Finding libxconv, loading it, and checking that it speaks this package's ABI.

"""Version of the C ABI this package was written against, from Project.toml."""
const ABI_VERSION = let project = joinpath(@__DIR__, "..", "Project.toml")
    include_dependency(project)
    line = first(Iterators.filter(startswith("version"), eachline(project)))
    VersionNumber(match(r"\"(.*)\"", line).captures[1])
end

"""libxconv could not be found, or what was found does not fit this package."""
struct LibraryError <: Exception
    message::String
end
Base.showerror(io::IO, e::LibraryError) = print(io, "XConv: ", e.message)

const HELP = """
Build it with
    cmake -S <xconv> -B <xconv>/build -DXCONV_TESTS=OFF -DXCONV_EXAMPLES=OFF -DXCONV_BENCH=OFF
    cmake --build <xconv>/build
where <xconv> is the directory that holds this package's julia/ folder, or point
the environment variable XCONV_LIBRARY (or the preference "library" of XConv) to
an existing libxconv.$(Libdl.dlext)."""

"""One place to look: what it is called in messages, a path, and whether the user
named it, in which case nothing else is tried."""
struct Candidate
    origin::String
    path::String
    explicit::Bool
end

function candidates()
    list = Candidate[]
    preferred = preference("library")
    preferred === nothing || push!(list, Candidate("preference \"library\"", preferred, true))
    named = get(ENV, "XCONV_LIBRARY", "")
    isempty(named) || push!(list, Candidate("XCONV_LIBRARY", named, true))
    for path in build_tree_libraries()
        push!(list, Candidate("build tree", path, false))
    end
    any(c -> c.origin == "build tree", list) || push!(list, Candidate("build tree",
        joinpath(repository(), "build", "capi", "libxconv.$(Libdl.dlext)"), false))
    push!(list, Candidate("system loader", soname(ABI_VERSION), false))
    push!(list, Candidate("system loader", "libxconv", false))
    return list
end

"""What the library's releases with the ABI of `v` are called: before 1.0 each minor
version is an ABI of its own."""
function soname(v::VersionNumber)
    compatible_with = v.major == 0 ? "0.$(v.minor)" : "$(v.major)"
    Sys.isapple() && return "libxconv.$compatible_with.dylib"
    return "libxconv.$(Libdl.dlext).$compatible_with"
end

"""The string preference `key` of this package, or nothing. Julia before 1.6 has
no preferences; later ones read them without any package."""
function preference(key::String)
    isdefined(Base, :get_preferences) || return nothing
    id = Base.PkgId(XConv).uuid
    id === nothing && return nothing
    value = get(Base.get_preferences(id), key, nothing)
    return value isa AbstractString && !isempty(value) ? String(value) : nothing
end

repository() = normpath(joinpath(@__DIR__, "..", ".."))

"""Libraries in `build*/` beside the julia/ folder, the newest first."""
function build_tree_libraries()
    root = repository()
    name = "libxconv.$(Libdl.dlext)"
    found = String[]
    isdir(root) || return found
    for entry in readdir(root)
        startswith(entry, "build") || continue
        # build/ itself, and the build/<preset>/ of CMakePresets.json.
        for sub in ("capi", joinpath("release", "capi"), joinpath("dev", "capi"), "", "lib")
            path = joinpath(root, entry, sub, name)
            isfile(path) && push!(found, path)
        end
    end
    return sort!(found; by=mtime, rev=true)
end

const library_handle = Ref{Ptr{Cvoid}}(C_NULL)
const library_location = Ref{String}("")
const library_lock = ReentrantLock()

"""Load libxconv unless it is loaded, and return its handle."""
function load_library()
    handle = library_handle[]
    handle == C_NULL || return handle
    lock(library_lock) do
        library_handle[] == C_NULL || return library_handle[]
        handle, path = open_first(candidates())
        check_version(handle, path)
        library_location[] = path
        library_handle[] = handle
    end
end

function open_first(list)
    tried = String[]
    for c in list
        handle, reason = open_one(c.path)
        handle === nothing || return handle, Libdl.dlpath(handle)
        push!(tried, "  $(c.origin): $reason")
        c.explicit && break
    end
    throw(LibraryError("libxconv was not found. Tried\n" * join(tried, "\n") * "\n" * HELP))
end

"""Handle and nothing, or nothing and why not. A function of its own, since Julia 1.5 ends
a loop too early that goes on from inside a `catch`."""
function open_one(path)
    try
        return Libdl.dlopen(path), nothing
    catch err
        return nothing, dlopen_reason(err)
    end
end

"""The loader's own words, which follow Julia's first line."""
dlopen_reason(err) = last(split(sprint(showerror, err), '\n'; limit=2))

function check_version(handle, path)
    f = Libdl.dlsym(handle, :xconv_version; throw_error=false)
    f === nothing && throw(LibraryError("$path is not libxconv: it has no xconv_version.\n$HELP"))
    found = version_number(ccall(f, Int32, ()))
    compatible(found, ABI_VERSION) || throw(LibraryError(
        "$path is version $found, which does not fit XConv.jl $ABI_VERSION.\n$HELP"))
    return nothing
end

version_number(v::Integer) = VersionNumber(v ÷ 10000, v ÷ 100 % 100, v % 100)

# Before 1.0 every minor version may change the ABI; descriptors may grow within one.
compatible(found, wanted) = found.major == wanted.major &&
    (wanted.major > 0 ? found.minor >= wanted.minor : found.minor == wanted.minor)
