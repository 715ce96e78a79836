"""
XConv: convolutions whose filter gradient needs a small random *sketch* of the
layer's input instead of the input itself. The estimate is unbiased at every
place of the image, whatever the stride, padding, dilation and groups; the
gradients of the input and of the bias stay exact.

Start with [`xconv`](@ref) for Flux models, [`XConv.conv`](@ref) for arrays.
"""
module XConv

using Libdl
using Random

export Exact, Probe, Quantize, xconv, exact, memory_report, initXConv, grad_ev

include("library.jl")
include("abi.jl")
include("errors.jl")
include("schemes.jl")
include("trace.jl")
include("geometry.jl")
include("devices.jl")
include("arrays.jl")
include("workspace.jl")
include("plans.jl")
include("convolution.jl")
include("companions.jl")
include("override.jl")
include("legacy.jl")
include("memory.jl")
include("advise.jl")
include("progress.jl")
include("model.jl")

function __init__()
    reset_handles()
    # Dependents may be precompiled on a machine that has no library yet; the
    # first call then says what is missing.
    generating_output() || load_library()
    return nothing
end

generating_output() = ccall(:jl_generating_output, Cint, ()) == 1

end
