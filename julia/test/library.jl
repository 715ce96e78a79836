# Loading happens once per process, so the cases that fail are other processes.

"""Whether another process with these changes to its environment could load XConv, and
what it printed."""
function load_in_process(changes...)
    project = dirname(Base.active_project())
    command = `$(Base.julia_cmd()) --startup-file=no --project=$project -e "using XConv; XConv.versioninfo()"`
    output = IOBuffer()
    environment = merge(Dict(ENV), Dict(changes...))
    ok = success(pipeline(setenv(command, environment); stdout=output, stderr=output))
    return ok, String(take!(output))
end

@testset "finding the library" begin
    @test isfile(XConv.library_location[])
    found = XConv.library_location[]
    ok, text = load_in_process("XCONV_LIBRARY" => found)
    @test ok && occursin(found, text)

    missing_path = joinpath(tempdir(), "no", "libxconv.so")
    ok, text = load_in_process("XCONV_LIBRARY" => missing_path)
    @test !ok
    @test occursin("XCONV_LIBRARY", text) && occursin(missing_path, text)
    @test occursin("cmake -S", text)

    other = first(filter(p -> occursin("libjulia", p), XConv.Libdl.dllist()))
    ok, text = load_in_process("XCONV_LIBRARY" => other)
    @test !ok && occursin("is not libxconv", text)
end

if isdefined(Base, :get_preferences)
    @testset "the preference comes first" begin
        folder = mktempdir()
        id = Base.PkgId(XConv).uuid
        write(joinpath(folder, "Project.toml"), "[extras]\nXConv = \"$id\"\n")
        write(joinpath(folder, "LocalPreferences.toml"), "[XConv]\nlibrary = \"/preferred/libxconv.so\"\n")
        ok, text = load_in_process("XCONV_LIBRARY" => XConv.library_location[],
            "JULIA_LOAD_PATH" => "$(dirname(Base.active_project())):$folder:@stdlib")
        @test !ok && occursin("preference \"library\"", text) && occursin("/preferred/", text)
    end
end

@testset "versions" begin
    fits = XConv.compatible
    @test fits(v"0.1.0", v"0.1.0") && fits(v"0.1.7", v"0.1.0") && fits(v"0.1.0", v"0.1.2")
    @test !fits(v"0.2.0", v"0.1.0") && !fits(v"1.0.0", v"0.1.0")
    @test fits(v"1.3.0", v"1.2.0") && !fits(v"1.1.0", v"1.2.0") && !fits(v"2.0.0", v"1.2.0")
    @test XConv.version_number(10203) == v"1.2.3"
    @test XConv.version_number(XConv.xconv_version()) == XConv.ABI_VERSION
end

@testset "order of candidates" begin
    kinds = [c.origin for c in XConv.candidates()]
    order = ["preference \"library\"", "XCONV_LIBRARY", "build tree", "system loader"]
    @test issorted(map(k -> findfirst(==(k), order), kinds))
    @test "build tree" in kinds && "system loader" in kinds
end

@testset "every candidate is tried" begin
    candidate(path, explicit=false) = XConv.Candidate("here", path, explicit)
    missing_path(i) = joinpath(tempdir(), "no", "$i.so")
    for others in 0:4
        missing_ones = [candidate(missing_path(i)) for i in 1:others]
        handle, path = XConv.open_first([missing_ones; candidate(XConv.library_location[])])
        @test handle != C_NULL && realpath(path) == realpath(XConv.library_location[])
        text = said_by(() -> XConv.open_first([missing_ones; candidate(missing_path("last"), true);
                                               candidate(XConv.library_location[])]))
        @test all(i -> occursin(missing_path(i), text), [1:others; "last"])
    end
end

@testset "names of the system's library" begin
    @test occursin(r"libxconv.*\.0\.7(\.|$)", XConv.soname(v"0.7.3"))
    @test occursin(r"libxconv.*\.2(\.|$)", XConv.soname(v"2.7.3"))
    # What the build calls it, where this is the build's library.
    built = realpath(XConv.library_location[])
    Sys.islinux() && @test startswith(basename(built), XConv.soname(XConv.ABI_VERSION))
end
