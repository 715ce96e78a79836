# Decides whether the CUDA backend is built (XCONV_CUDA), and finds what it needs.
# Sets XCONV_WITH_CUDA and XCONV_WITH_CUDNN. Architectures are CMAKE_CUDA_ARCHITECTURES;
# `current`, the default of a release build, stands for all that the toolkit knows,
# and other builds make code for one.

# xconv_current_architectures(<variable>): one for each generation the compiler
# knows, the last one also as code that later generations can translate.
function(xconv_current_architectures variable)
    execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-arch
        OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[0-9]+" known "${listed}")
    list(SORT known COMPARE NATURAL)
    set(chosen "")
    # What is bit-compatible with an older one of its generation gains nothing.
    foreach(arch IN LISTS known)
        if(arch GREATER_EQUAL 70 AND arch MATCHES "^(70|75|80|86|89|[0-9]+0)$")
            list(APPEND chosen ${arch}-real)
        endif()
    endforeach()
    list(POP_BACK chosen last)
    string(REPLACE "-real" "" last ${last})
    set(${variable} "${chosen};${last}" PARENT_SCOPE)
endfunction()

set(XCONV_WITH_CUDA OFF)
set(XCONV_WITH_CUDNN OFF)
if(NOT XCONV_CUDA MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "XCONV_CUDA = ${XCONV_CUDA}: must be AUTO, ON or OFF")
endif()
if(XCONV_CUDA STREQUAL "OFF")
    return()
endif()

if(NOT CMAKE_CUDA_COMPILER)
    find_program(CMAKE_CUDA_COMPILER nvcc
        HINTS ENV CUDACXX ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
endif()
if(CMAKE_CUDA_COMPILER)
    get_filename_component(cuda_root ${CMAKE_CUDA_COMPILER} REALPATH)
    get_filename_component(cuda_root ${cuda_root} DIRECTORY)
    get_filename_component(cuda_root ${cuda_root} DIRECTORY)
    list(APPEND CMAKE_PREFIX_PATH ${cuda_root})
    find_package(CUDAToolkit 12.0 QUIET)
endif()
if(NOT CMAKE_CUDA_COMPILER OR NOT TARGET CUDA::cudart_static OR NOT TARGET CUDA::cublas)
    if(XCONV_CUDA STREQUAL "ON")
        message(FATAL_ERROR "XCONV_CUDA = ON: no CUDA toolkit of version 12 or later was found; "
            "put nvcc on the PATH or set CMAKE_CUDA_COMPILER")
    endif()
    message(STATUS "CUDA backend: off, no CUDA toolkit of version 12 or later was found")
    return()
endif()

if(NOT CMAKE_CUDA_ARCHITECTURES)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
        set(CMAKE_CUDA_ARCHITECTURES current)
    else()
        set(CMAKE_CUDA_ARCHITECTURES 90)
    endif()
endif()
if(CMAKE_CUDA_ARCHITECTURES STREQUAL "current")
    xconv_current_architectures(CMAKE_CUDA_ARCHITECTURES)
endif()
if(NOT CMAKE_CUDA_HOST_COMPILER)
    set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
endif()
enable_language(CUDA)
# CMake 3.25 does not know yet that nvcc has it.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
set(XCONV_WITH_CUDA ON)

if(XCONV_CUDNN)
    find_package(CUDNN 9.0)
    if(CUDNN_FOUND)
        set(XCONV_WITH_CUDNN ON)
    endif()
endif()
list(JOIN CMAKE_CUDA_ARCHITECTURES " " cuda_architectures)
message(STATUS "CUDA backend: CUDA ${CUDAToolkit_VERSION}, cuDNN ${CUDNN_VERSION}, "
    "architectures ${cuda_architectures}")
