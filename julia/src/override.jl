# Sketched gradients for every NNlib.conv of models that are left as they are. The
# rule itself is in the NNlib extension; here is who decides.

const OVERRIDE_KEY = :XConv_override
const process_override = Ref{Union{Nothing,Scheme}}(nothing)

"""
    XConv.with_override(f, scheme)
    XConv.with_override(scheme) do … end

Run `f()` so that every `NNlib.conv` differentiated meanwhile by this task keeps of
its input what `scheme` says. May be nested, the innermost counts; `Exact()` turns
it off. Tasks started inside do not inherit it.
"""
with_override(f, scheme::Scheme) = task_local_storage(f, OVERRIDE_KEY, scheme)

"""The scheme that NNlib.conv is to use now, or nothing for NNlib's own rule."""
function override_scheme()
    scheme = get(task_local_storage(), OVERRIDE_KEY, process_override[])
    return scheme isa Exact ? nothing : scheme::Union{Nothing,Scheme}
end
