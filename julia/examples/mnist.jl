# The manuscript's MNIST network: three convolutions, Adam with step 3e-3, exact or with
# any scheme, from the original IDX files (MNIST, Fashion-MNIST).
using Flux
using Random
using XConv

const HELP = """
    julia examples/mnist.jl [options]

One training for every batch size and scheme. At the end the rows of the manuscript's
table: validation accuracy, for which the manuscript trained 20 epochs.

    --data DIR       folder of the IDX files, gzipped or not [/usr/share/datasets/fashion-mnist]
    --schemes LIST   such as "Exact() Probe(32) Quantize(2)" [what --probes says]
    --probes LIST    numbers of probes, 0 is exact [0,8,32]
    --batch LIST     batch sizes [128]
    --budget KIB     train also with the schemes that XConv.advise chooses, after the first
                     training, to keep so much for the backward pass [none]
    --epochs N       [3]
    --images N       of the training set [60000]
    --seed N         [0]
"""
const DEFAULTS = Dict("data" => "/usr/share/datasets/fashion-mnist", "batch" => "128",
    "schemes" => "", "probes" => "0,8,32", "budget" => "", "epochs" => "3", "images" => "60000",
    "seed" => "0")

function options(args)
    chosen = copy(DEFAULTS)
    iseven(length(args)) || error("every option takes a value: --batch 256")
    for (name, value) in Iterators.partition(args, 2)
        key = replace(name, r"^--" => "")
        haskey(chosen, key) || error("unknown option $name; --help lists them")
        chosen[key] = value
    end
    return chosen
end

function schemes_of(o)
    isempty(o["schemes"]) || return XConv.Scheme[parse(XConv.Scheme, m.match)
                                                 for m in eachmatch(r"\w+\([^)]*\)", o["schemes"])]
    return XConv.Scheme[r == 0 ? Exact() : Probe(r) for r in parse.(Int, split(o["probes"], ','))]
end

"""Bytes of a file, gzipped or not."""
function bytes_of(folder, name)
    plain = joinpath(folder, name)
    isfile(plain) && return read(plain)
    isfile(plain * ".gz") || error("neither $plain nor $plain.gz exists; --data names the folder")
    return read(`gzip -dc $plain.gz`)
end

"""The array in an IDX file: two zero bytes, a type, the rank, sizes, then numbers."""
function read_idx(bytes)
    bytes[1:3] == [0x00, 0x00, 0x08] || error("not an IDX file of bytes")
    rank = Int(bytes[4])
    sizes = [Int(ntoh(s)) for s in reinterpret(UInt32, bytes[5:4+4rank])]
    # The last axis is the fastest there, the first one here.
    return reshape(bytes[5+4rank:end], reverse(sizes)...)
end

function load_set(folder, prefix, limit)
    images = read_idx(bytes_of(folder, "$prefix-images-idx3-ubyte"))
    labels = read_idx(bytes_of(folder, "$prefix-labels-idx1-ubyte"))
    n = min(limit, length(labels))
    x = reshape(Float32.(images[:, :, 1:n]) ./ 255, 28, 28, 1, n)
    return x, Flux.onehotbatch(labels[1:n], 0:9)
end

network() = Chain(
    Conv((3, 3), 1 => 16, relu; pad=1), MaxPool((2, 2)),
    Conv((3, 3), 16 => 32, relu; pad=1), MaxPool((2, 2)),
    Conv((3, 3), 32 => 32, relu; pad=1), MaxPool((2, 2)),
    Flux.flatten, Dense(288 => 10))

function accuracy(model, x, y)
    parts = Iterators.partition(1:size(x, 4), 1000)
    correct = sum(sum(Flux.onecold(model(x[:, :, :, p])) .== Flux.onecold(y[:, p])) for p in parts)
    return correct / size(x, 4)
end

loss(model, x, y) = Flux.logitcrossentropy(model(x), y)

"""Train a new network with these schemes; its accuracy, and itself."""
function train(schemes, train_set, validation; batch, epochs, seed)
    Random.seed!(seed)
    model = xconv(network(), schemes)
    state = Flux.setup(Adam(3e-3), model)
    loader = Flux.DataLoader(train_set; batchsize=batch, shuffle=true, partial=false)
    bar = XConv.ProgressBar(epochs * length(loader))
    for epoch in 1:epochs, (x, y) in loader
        value, gradients = Flux.withgradient(m -> loss(m, x, y), model)
        Flux.update!(state, model, gradients[1])
        XConv.step!(bar, "$(label(schemes)), epoch $epoch, loss $(round(value; digits=3))")
    end
    return accuracy(model, validation...), model
end

label(scheme::XConv.Scheme) = string(scheme)
label(advice::XConv.ModelAdvice) = "advised, $(Base.format_bytes(XConv.total_bytes(advice)))"

"""Advice for a trained network, on the first batch."""
function advised(model, train_set, batch, budget)
    images, labels = train_set
    n = min(batch, size(images, 4))
    advice = XConv.advise(model, (images[:, :, :, 1:n], labels[:, 1:n]), loss; budget)
    display(advice)
    println()
    return advice
end

function main(args)
    any(in(("--help", "-h")), args) && return print(HELP)
    o = options(args)
    number(key) = parse(Int, o[key])
    schemes = schemes_of(o)
    train_set = load_set(o["data"], "train", number("images"))
    validation = load_set(o["data"], "t10k", typemax(Int))
    batches = parse.(Int, split(o["batch"], ','))
    sample = train_set[1][:, :, :, 1:min(end, first(batches))]
    for scheme in schemes
        scheme == Exact() || memory_report(network(), sample; scheme)
    end

    common = (epochs=number("epochs"), seed=number("seed"))
    results = Matrix{Any}(undef, length(schemes), 0)
    rows = map(label, schemes)
    for batch in batches
        trained = [train(s, train_set, validation; batch, common...) for s in schemes]
        column = Any[first(t) for t in trained]
        if !isempty(o["budget"])
            advice = advised(last(trained[1]), train_set, batch, 1024 * number("budget"))
            push!(column, first(train(advice, train_set, validation; batch, common...)))
            length(rows) < length(column) && push!(rows, label(advice))
        end
        results = isempty(results) ? reshape(column, :, 1) : hcat(results, column)
    end
    print_table(rows, batches, results)
    return results
end

function print_table(rows, batches, results)
    width = maximum(length, rows)
    println("\n| ", " "^width, " | ", join((rpad("B=$b", 6) for b in batches), " | "), " |")
    println("|:", "-"^width, ":|", ":------:|"^length(batches))
    for (name, row) in zip(rows, eachrow(results))
        cells = (rpad(round(a; digits=4), 6, '0') for a in row)
        println("| ", rpad(name, width), " | ", join(cells, " | "), " |")
    end
end

abspath(PROGRAM_FILE) == @__FILE__() && main(ARGS)
