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

run_all() = @testset "XConv" begin
    include("oracle.jl")
    for part in ("header", "library", "schemes", "convolution", "devices", "plans", "companions", "legacy",
                 "memory")
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
