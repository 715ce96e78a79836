"""A call of libxconv failed; `status` is the header's name of the reason."""
struct XConvError <: Exception
    status::Symbol
    message::String
end
Base.showerror(io::IO, e::XConvError) = print(io, "XConvError(", e.status, "): ", e.message)

"""Throw unless a call succeeded. The detail is the library's, of this thread: no
task switch can happen between the call and here."""
@inline check(status::Status) = status == XCONV_SUCCESS ? nothing : throw_status(status)

@noinline function throw_status(status::Status)
    message = unsafe_string(xconv_last_error())
    throw(XConvError(Symbol(unsafe_string(xconv_status_name(status))), message))
end

"""
    XConv.versioninfo([io])

Print which libxconv is loaded, from where, and with which backends.
"""
function versioninfo(io::IO=stdout)
    load_library()
    println(io, "XConv.jl ", ABI_VERSION)
    println(io, "libxconv ", version_number(xconv_version()), " (",
        unsafe_string(xconv_git_hash()), ") at ", library_location[])
    for line in split(unsafe_string(xconv_backends()), '\n'; keepempty=false)
        println(io, "  ", line)
    end
end
