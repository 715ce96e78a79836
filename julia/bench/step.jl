# Time of a training step of a network that is mostly convolutions: plain Flux beside
# xconv(model, SCHEME), Probe(16) unless given, in one process, taken in turns, the best of several, with one
# thread for both. Run it in an environment that has Flux and XConv:
#     julia julia/bench/step.jl [SCHEME]
using Flux, LinearAlgebra, XConv

scheme = isempty(ARGS) ? Probe(16) : parse(XConv.Scheme, ARGS[1])
XConv.set_threads!(1)
batch, channels = 64, 32
model = Chain(Conv((3, 3), 3 => channels, relu; pad=1),
    Conv((3, 3), channels => channels, relu; pad=1), Conv((3, 3), channels => channels, relu; pad=1),
    MaxPool((2, 2)), Conv((3, 3), channels => 2channels, relu; pad=1),
    Conv((3, 3), 2channels => 2channels, relu; pad=1), GlobalMeanPool(), Flux.flatten,
    Dense(2channels => 10))
x = randn(Float32, 32, 32, 3, batch)
y = Flux.onehotbatch(rand(0:9, batch), 0:9)
function step_of(m)
    state = Flux.setup(Flux.Adam(), m)
    return () -> Flux.update!(state, m,
        Flux.gradient(m -> Flux.logitcrossentropy(m(x), y), m)[1])
end
BLAS.set_num_threads(1)
plain, sketched = step_of(deepcopy(model)), step_of(xconv(deepcopy(model), scheme))
plain(), sketched()
times = [(@elapsed(plain()), @elapsed(sketched())) for _ in 1:6]
best_plain, best_sketched = minimum(first, times), minimum(last, times)
println("training step: Flux $(round(best_plain; digits=3)) s, XConv with $scheme $(round(best_sketched; digits=3)) s, " *
      "$(round(best_plain / best_sketched; digits=2)) times faster")
