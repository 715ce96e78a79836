# What a call from Julia costs beyond the library's own time, on a problem that takes
# the library next to none. Needs the standard library only:
#     julia --project=julia julia/bench/overhead.jl
using XConv

x, w = zeros(Float32, 4, 4, 1, 1), zeros(Float32, 1, 1, 1, 1)
p = XConv.plan(x, w)
y = similar(x)
scratch = Vector{UInt8}(undef, p.workspace[1])
api() = XConv.conv(x, w)
bare() = GC.@preserve x w y scratch XConv.xconv_forward(p.context.handle, p.handle,
    XConv.address(x), XConv.address(w), C_NULL, XConv.address(y), UInt64(0), C_NULL, 0,
    pointer(scratch), length(scratch))
function seconds(f)
    f()
    best = Inf
    for _ in 1:20
        t = @elapsed for _ in 1:200
            f()
        end
        best = min(best, t / 200)
    end
    return best
end
overhead = seconds(api) - seconds(bare)
println("overhead per call: $(round(overhead * 1e6; digits=2)) µs")
