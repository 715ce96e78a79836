# Models that several tests use, and how gradients are compared.

const FluxExt = Base.get_extension(XConv, :XConvFluxExt)

"""The manuscript's MNIST network."""
mnist_net() = Chain(
    Conv((3, 3), 1 => 16, relu; pad=1), MaxPool((2, 2)),
    Conv((3, 3), 16 => 32, relu; pad=1), MaxPool((2, 2)),
    Conv((3, 3), 32 => 32, relu; pad=1), MaxPool((2, 2)),
    Flux.flatten, Dense(288 => 10))

"""Two convolutions around which the input is added again, as in ResNet-18."""
function residual_block(from, to; stride=1)
    main = Chain(Conv((3, 3), from => to; pad=1, stride, bias=false), BatchNorm(to, relu),
        Conv((3, 3), to => to; pad=1, bias=false), BatchNorm(to))
    shortcut = from == to && stride == 1 ? identity :
               Chain(Conv((1, 1), from => to; stride, bias=false), BatchNorm(to))
    return Chain(Parallel(+, main, shortcut), x -> relu.(x))
end

"""ResNet-18 for small images, its widths multiplied by `width / 64`."""
function resnet18(width=16; channels=3, classes=10)
    w = [width, 2width, 4width, 8width]
    stages = [(w[1], w[1], 1), (w[1], w[2], 2), (w[2], w[3], 2), (w[3], w[4], 2)]
    blocks = vcat([[residual_block(a, b; stride=s), residual_block(b, b)] for (a, b, s) in stages]...)
    return Chain(Conv((3, 3), channels => width; pad=1, bias=false), BatchNorm(width, relu),
        blocks..., GlobalMeanPool(), Flux.flatten, Dense(w[4] => classes))
end

"""A user's own struct around layers."""
struct TwoPaths
    left
    right
    name::String
end
Flux.@layer TwoPaths
(m::TwoPaths)(x) = m.left(x) .+ m.right(x)

"""One whose field takes no other layer."""
struct OnlyConv
    conv::Conv
end
Flux.@layer OnlyConv
(m::OnlyConv)(x) = m.conv(x)

"""Gradient of a scalar of the output with respect to the model, arrays only."""
function model_gradient(model, x; weights=nothing)
    y, back = Zygote.pullback((m, x) -> m(x), model, x)
    dy = weights === nothing ? cos.(y) : weights
    dm, dx = back(dy)
    return y, arrays(dm), ChainRulesCore.unthunk(dx)
end

arrays(g) = arrays!(Any[], g)
arrays!(found, g::AbstractArray{<:Number}) = push!(found, g)
arrays!(found, g::Base.RefValue) = arrays!(found, g[])
arrays!(found, g::ChainRulesCore.AbstractThunk) = arrays!(found, ChainRulesCore.unthunk(g))
function arrays!(found, g::Union{Tuple,NamedTuple,AbstractArray})
    foreach(part -> arrays!(found, part), values(g))
    return found
end
arrays!(found, _) = found

"""Whether two models have the same output and gradients, to rounding. What should be
zero, such as the gradient of a bias before BatchNorm, is small next to the rest."""
function agree(a, b, x; rtol=1e-4)
    ya, da, dxa = model_gradient(a, x)
    yb, db, dxb = model_gradient(b, x)
    scale = maximum(g -> maximum(abs, g), [da; Any[ya]])
    close(p, q) = isapprox(p, q; rtol, atol=rtol * scale)
    return close(ya, yb) && length(da) == length(db) && all(map(close, da, db)) &&
        (dxa === dxb || close(dxa, dxb))
end
