# The standard-library part always runs; the Flux part where Flux is installed.
using Test
using Random
using Serialization
using XConv

XConv.versioninfo()
# The problems are tiny: more threads per call would only wait for each other.
XConv.set_threads!(1)
# Every test set starts from the seed set last, so that each run draws the same.
Random.seed!(20)

"""Why the tests on a GPU cannot run, or nothing when they can."""
function cuda_missing()
    Base.find_package("CUDA") === nothing && return "CUDA.jl is not installed in this environment"
    cuda = Base.require(Base.PkgId(Base.UUID("052768ef-5323-5732-b1bb-66c8b64840ba"), "CUDA"))
    Base.invokelatest(cuda.functional) || return "CUDA.jl finds no working GPU here"
    x = Base.invokelatest(cuda.zeros, Float32, 1)
    Base.invokelatest(XConv.supports, x) || return "this libxconv has no CUDA backend"
    return nothing
end

"""The words of the error that `f()` throws, or nothing when it does not."""
said_by(f) = try
    f()
    nothing
catch err
    err isa Union{XConv.XConvError,XConv.LibraryError} ? err.message : err.msg
end

run_all() = @testset "XConv" begin
    include("oracle.jl")
    for part in ("header", "library", "schemes", "convolution", "devices", "halves", "plans", "companions", "legacy",
                 "memory", "advise")
        @testset "$part" begin
            include("$part.jl")
        end
    end

    @testset "threads" begin
        project = dirname(Base.active_project())
        file = joinpath(@__DIR__, "threads.jl")
        @test success(pipeline(`$(Base.julia_cmd()) --startup-file=no -t 2 --project=$project $file`;
            stdout=stdout, stderr=stderr))
    end

    if VERSION >= v"1.9" && Base.find_package("CUDA") === nothing
        @testset "extension for CUDA.jl" begin
            project = dirname(Base.active_project())
            file = joinpath(@__DIR__, "cuda", "extension.jl")
            @test success(pipeline(`$(Base.julia_cmd()) --startup-file=no --project=$project $file`;
                stdout=stdout, stderr=stderr))
        end
    end

    reason = cuda_missing()
    if reason === nothing
        @testset "CUDA" begin
            include("cuda/runtests.jl")
        end
    else
        @info "CUDA part SKIPPED: $reason"
    end

    if Base.find_package("Flux") === nothing
        @info "Flux part SKIPPED: Flux is not installed in this environment"
    elseif VERSION < v"1.10"
        @info "Flux part SKIPPED: it needs Julia 1.10 or later, this is $VERSION"
    else
        @testset "Flux" begin
            include("flux/runtests.jl")
        end
    end
end

"""Numbers of tests that passed and failed, of a finished test set."""
function totals(set)
    counts = Test.get_test_counts(set)
    counts isa Tuple || return counts.passes + counts.cumulative_passes, 0
    return counts[1] + counts[5], 0
end

passed, failed = try
    totals(run_all())
catch err
    err isa Test.TestSetException || rethrow()
    err.pass, err.fail + err.error
end
println("XConv.jl: $passed passed, $failed failed")
failed == 0 || exit(1)
