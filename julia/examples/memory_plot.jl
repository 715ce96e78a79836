# The report of memory_report as a picture: bytes kept by each layer of a ResNet-18
# with BatchNorm, before and after conversion.
#
#   julia examples/memory_plot.jl [FILE.svg] [SCHEME]
using Flux
using XConv

function residual(from, to, stride)
    main = Chain(Conv((3, 3), from => to; pad=1, stride, bias=false), BatchNorm(to, relu),
        Conv((3, 3), to => to; pad=1, bias=false), BatchNorm(to))
    shortcut = stride == 1 ? identity :
               Chain(Conv((1, 1), from => to; stride, bias=false), BatchNorm(to))
    return Chain(Parallel((a, b) -> relu.(a .+ b), main, shortcut))
end

resnet18(w) = Chain(Conv((3, 3), 3 => w; pad=1, bias=false), BatchNorm(w, relu),
    residual(w, w, 1), residual(w, w, 1), residual(w, 2w, 2), residual(2w, 2w, 1),
    residual(2w, 4w, 2), residual(4w, 4w, 1), residual(4w, 8w, 2), residual(8w, 8w, 1),
    GlobalMeanPool(), Flux.flatten, Dense(8w => 10))

text(x, y, content; anchor="start", size=11) =
    """<text x="$x" y="$y" font-size="$size" text-anchor="$anchor">$content</text>\n"""
bar(x, y, width, height, color) =
    """<rect x="$x" y="$y" width="$(round(width; digits=1))" height="$height" fill="$color"/>\n"""

"""What a layer is called in the picture: its kind, without XConv's wrapper."""
function label(row)
    name = replace(last(split(row.layer, ' '; limit=2)), r"^xconv\((.*)\)$" => s"\1")
    kind = match(r"^[\w#]*", name).match
    return startswith(kind, "#") ? "relu.(a .+ b)" : String(kind)
end

"""Rows of memory_report as bars, the whole model as the last pair."""
function svg(rows; width=760, left=130)
    layers = filter(r -> r.before > 0, rows[1:end-1])
    step, top = 15, 60
    height = top + step * length(layers) + 30
    scale = (width - left - 90) / maximum(r -> r.before, layers)
    io = IOBuffer()
    print(io, """<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" """,
        """font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n""")
    total = rows[end]
    print(io, text(left, 20, "Bytes kept for the backward pass, layer by layer"; size=14),
        text(left, 38, "whole model: $(Base.format_bytes(total.before)) in Flux, " *
                       "$(Base.format_bytes(total.after)) converted"),
        bar(left + 400, 29, 10, 9, "#c8c8c8"), text(left + 414, 38, "Flux"),
        bar(left + 460, 29, 10, 9, "#2060a0"), text(left + 474, 38, "converted"))
    for (i, row) in enumerate(layers)
        y = top + step * (i - 1)
        print(io, text(left - 6, y + 9, label(row); anchor="end", size=10),
            bar(left, y, scale * row.before, 10, "#c8c8c8"),
            bar(left, y + 2, scale * row.after, 6, "#2060a0"),
            text(left + scale * row.before + 4, y + 9, Base.format_bytes(row.before); size=9))
    end
    print(io, "</svg>\n")
    return String(take!(io))
end

function main(args)
    scheme = length(args) < 2 ? Probe(16) : parse(XConv.Scheme, args[2])
    rows = memory_report(resnet18(32), randn(Float32, 32, 32, 3, 32); scheme)
    file = isempty(args) ? "memory.svg" : args[1]
    write(file, svg(rows))
    println("wrote $file")
end

abspath(PROGRAM_FILE) == @__FILE__() && main(ARGS)
