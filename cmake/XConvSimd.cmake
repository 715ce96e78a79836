# xconv_add_simd_variants(<target> <source> [EXACT]): compile <source> once for each
# instruction set of the target architecture. Every copy sees XCONV_SIMD, the
# namespace it defines; <source name>_variants.hpp lists them, for the dispatcher.
# EXACT: products and sums round one by one, so that every copy has equal results.
function(xconv_add_simd_variants target source)
    cmake_parse_arguments(arg "EXACT" "" "" ${ARGN})
    set(contract fast)
    if(arg_EXACT)
        set(contract off)
    endif()
    set(variants baseline)
    set(flags_baseline "")
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        list(PREPEND variants avx512 avx2)
        set(flags_avx2 -march=x86-64-v3 -mtune=haswell)
        set(flags_avx512 -march=x86-64-v4 -mtune=skylake-avx512 -mprefer-vector-width=512)
        if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
            # GCC's own intrinsics read variables that they leave unset on purpose.
            list(APPEND flags_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
        endif()
    endif()
    get_filename_component(name ${source} NAME_WE)
    # The most modest first: of an inline function that several copies define, the linker
    # takes the first, and that must run anywhere.
    set(in_link_order ${variants})
    list(REVERSE in_link_order)
    foreach(variant IN LISTS in_link_order)
        set(copy ${CMAKE_CURRENT_BINARY_DIR}/${name}_${variant}.cpp)
        file(GENERATE OUTPUT ${copy}
            CONTENT "#define XCONV_SIMD ${variant}\n#include \"${CMAKE_CURRENT_SOURCE_DIR}/${source}\"\n")
        # ffp-contract=fast and fno-math-errno let loops become fused vector code;
        # neither changes the value of an integer-valued sum.
        set_source_files_properties(${copy} PROPERTIES COMPILE_OPTIONS
            "${flags_${variant}};-O3;-ffp-contract=${contract};-fno-math-errno;-fno-trapping-math")
        target_sources(${target} PRIVATE ${copy})
    endforeach()
    list(TRANSFORM variants REPLACE "(.+)" "X(\\1)" OUTPUT_VARIABLE calls)
    list(JOIN calls " " calls)
    file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}_variants.hpp
        CONTENT "#define XCONV_SIMD_VARIANTS(X) ${calls}\n")
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()

# xconv_add_amx(<target> <source>): compile <source> for AVX-512 and AMX, where the
# compiler can; XCONV_WITH_AMX says so.
function(xconv_add_amx target source)
    if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        return()
    endif()
    include(CheckCXXCompilerFlag)
    check_cxx_compiler_flag("-march=x86-64-v4 -mamx-tile -mamx-bf16" XCONV_COMPILES_AMX)
    if(NOT XCONV_COMPILES_AMX)
        return()
    endif()
    set(flags -march=x86-64-v4 -mtune=skylake-avx512 -mamx-tile -mamx-bf16 -O3)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        list(APPEND flags -Wno-uninitialized -Wno-maybe-uninitialized)
    endif()
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
    target_sources(${target} PRIVATE ${source})
    target_compile_definitions(${target} PUBLIC XCONV_WITH_AMX=1)
endfunction()
