# A small 3-D U-Net that finds balls in noisy volumes, and what it keeps for the
# backward pass before and after conversion.
using Flux
using Random
using XConv

const HELP = """
    julia examples/unet3d.jl [options]

    --scheme S   what convolutions keep [Quantize(2)]
    --size N     voxels per axis [24]
    --batch N    [2]
    --width N    channels of the first level [8]
    --steps N    [40]
"""
const DEFAULTS = Dict("scheme" => "Quantize(2)", "size" => "24", "batch" => "2", "width" => "8",
    "steps" => "40")

function options(args)
    chosen = copy(DEFAULTS)
    iseven(length(args)) || error("every option takes a value: --size 32")
    for (name, value) in Iterators.partition(args, 2)
        key = replace(name, r"^--" => "")
        haskey(chosen, key) || error("unknown option $name; --help lists them")
        chosen[key] = value
    end
    numbers = (; (Symbol(k) => parse(Int, chosen[k]) for k in ("size", "batch", "width", "steps"))...)
    return (; scheme=parse(XConv.Scheme, chosen["scheme"]), numbers...)
end

"""Two convolutions, each followed by normalisation and ReLU."""
double(from, to) = Chain(Conv((3, 3, 3), from => to; pad=1, bias=false), BatchNorm(to, relu),
    Conv((3, 3, 3), to => to; pad=1, bias=false), BatchNorm(to, relu))

"""One level: the input goes down, through `below`, up again, and past it all."""
function level(channels, below)
    way = Chain(MaxPool((2, 2, 2)), below, Upsample(2, :nearest))
    return SkipConnection(way, (a, b) -> cat(a, b; dims=4))
end

function unet(width)
    bottom = double(2width, 4width)
    middle = Chain(double(width, 2width), level(2width, bottom), double(6width, 2width))
    return Chain(double(1, width), level(width, middle), double(3width, width),
        Conv((1, 1, 1), width => 1))
end

"""Noisy volumes with a ball in each, and where the ball is."""
function volumes(rng, n, batch)
    x = 0.7f0 .* randn(rng, Float32, n, n, n, 1, batch)
    y = zeros(Float32, n, n, n, 1, batch)
    for b in 1:batch
        center = n ÷ 4 .+ rand(rng, 0:n÷2, 3)
        radius = n / 8 + rand(rng) * n / 8
        for p in CartesianIndices((n, n, n))
            sum(abs2, Tuple(p) .- Tuple(center)) <= radius^2 && (y[p, 1, b] = 1)
        end
    end
    return x .+ y, y
end

function overlap(model, x, y)
    found = model(x) .> 0
    return 2 * sum(found .& (y .> 0)) / max(sum(found) + sum(y), 1)
end

function train!(model, o, rng)
    state = Flux.setup(Adam(5e-3), model)
    bar = XConv.ProgressBar(o.steps)
    for _ in 1:o.steps
        x, y = volumes(rng, o.size, o.batch)
        loss, gradients = Flux.withgradient(m -> Flux.logitbinarycrossentropy(m(x), y), model)
        Flux.update!(state, model, gradients[1])
        XConv.step!(bar, "loss $(round(loss; digits=3))")
    end
    return model
end

function main(args)
    any(in(("--help", "-h")), args) && return print(HELP)
    o = options(args)
    Random.seed!(0)
    model = unet(o.width)
    x, y = volumes(MersenneTwister(1), o.size, o.batch)
    report = memory_report(model, x; scheme=o.scheme)
    for scheme in (nothing, o.scheme)
        m = scheme === nothing ? deepcopy(model) : xconv(deepcopy(model), scheme)
        Random.seed!(1)
        seconds = @elapsed train!(m, o, MersenneTwister(2))
        println(scheme === nothing ? "Flux" : scheme, ": overlap with the truth ",
            round(overlap(m, x, y); digits=3), " after ", round(seconds; digits=1), " s")
    end
    return report
end

abspath(PROGRAM_FILE) == @__FILE__() && main(ARGS)
