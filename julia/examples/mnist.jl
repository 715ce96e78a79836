# The manuscript's MNIST network: three convolutions, Adam with step 3e-3, exact or
# with probed filter gradients, from the original IDX files (MNIST, Fashion-MNIST).
#
#   julia examples/mnist.jl [--data DIR] [--batch 128] [--probes 0,8,32] [--epochs 3]
#                           [--images 60000] [--seed 0]
#
# One training for every batch size and number of probes (0 is exact), as lists with
# commas. At the end the rows of the manuscript's table: validation accuracy, for
# which the manuscript trained 20 epochs.
using Flux
using Random
using XConv

const DEFAULTS = Dict("data" => "/usr/share/datasets/fashion-mnist", "batch" => "128",
    "probes" => "0,8,32", "epochs" => "3", "images" => "60000", "seed" => "0")

function options(args)
    chosen = copy(DEFAULTS)
    iseven(length(args)) || error("every option takes a value: --batch 256")
    for (name, value) in Iterators.partition(args, 2)
        key = replace(name, r"^--" => "")
        haskey(chosen, key) ||
            error("unknown option $name, known: --$(join(sort!(collect(keys(DEFAULTS))), " --"))")
        chosen[key] = value
    end
    return chosen
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

function train(r, train_set, validation; batch, epochs, seed)
    Random.seed!(seed)
    model = r == 0 ? network() : xconv(network(), Probe(r))
    state = Flux.setup(Adam(3e-3), model)
    loader = Flux.DataLoader(train_set; batchsize=batch, shuffle=true, partial=false)
    bar = XConv.ProgressBar(epochs * length(loader))
    for epoch in 1:epochs, (x, y) in loader
        loss, gradients = Flux.withgradient(m -> Flux.logitcrossentropy(m(x), y), model)
        Flux.update!(state, model, gradients[1])
        XConv.step!(bar, "r = $r, epoch $epoch, loss $(round(loss; digits=3))")
    end
    return accuracy(model, validation...)
end

function main(args)
    o = options(args)
    number(key) = parse(Int, o[key])
    probes = parse.(Int, split(o["probes"], ','))
    train_set = load_set(o["data"], "train", number("images"))
    validation = load_set(o["data"], "t10k", typemax(Int))
    batches = parse.(Int, split(o["batch"], ','))
    sample = train_set[1][:, :, :, 1:min(end, first(batches))]
    any(>(0), probes) && memory_report(network(), sample; scheme=Probe(maximum(probes)))

    results = [train(r, train_set, validation; batch, epochs=number("epochs"), seed=number("seed"))
               for r in probes, batch in batches]
    print_table(probes, batches, results)
    return results
end

function print_table(probes, batches, results)
    println("\n|         | ", join(("B=$b" for b in batches), " | "), " |")
    println("|:-------:|", ":------:|"^length(batches))
    for (r, row) in zip(probes, eachrow(results))
        cells = (rpad(round(a; digits=4), 6, '0') for a in row)
        println("| ", rpad(r == 0 ? "default" : "ps=$r", 7), " | ", join(cells, " | "), " |")
    end
end

abspath(PROGRAM_FILE) == @__FILE__() && main(ARGS)
