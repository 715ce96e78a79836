# The body of the test install.consumers; see CMakeLists.txt for its arguments.
cmake_minimum_required(VERSION 3.22)

# run(<command> <argument>...): stop the test when the command fails.
function(run)
    execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
    list(JOIN ARGV " " command)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "failed (${code}): ${command}\n${text}")
    endif()
    message(STATUS "ok: ${command}")
endfunction()

# The folder that was installed to is gone before anything uses the result.
file(REMOVE_RECURSE ${SCRATCH})
run(${CMAKE_COMMAND} --install ${BUILD} --config "${CONFIG}" --prefix ${SCRATCH}/first)
set(prefix "${SCRATCH}/moved here") # a space, too
file(RENAME ${SCRATCH}/first "${prefix}")

# Before 1.0 every minor version may change the interface, so it has a name of its own:
# programs look for that one, and find nothing where only another is installed.
file(STRINGS "${prefix}/include/xconv/xconv.h" version REGEX "define XCONV_VERSION_(MAJOR|MINOR)")
list(TRANSFORM version REPLACE "[^0-9]" "")
list(GET version 0 name)
if(name EQUAL 0)
    list(JOIN version "." name)
endif()
if(UNIX AND NOT APPLE AND NOT EXISTS "${prefix}/${LIBDIR}/libxconv.so.${name}")
    message(FATAL_ERROR "libxconv.so.${name} was not installed")
endif()

set(sources ${CMAKE_CURRENT_LIST_DIR}/consumer)
set(sanitize "")
if(SANITIZE)
    set(sanitize -fsanitize=${SANITIZE})
endif()

# --- find_package: both libraries, both languages
run(${CMAKE_COMMAND} -S ${sources} -B ${SCRATCH}/both -G ${GENERATOR}
    -DCMAKE_C_COMPILER=${CC} -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_PREFIX_PATH=${prefix}")
run(${CMAKE_COMMAND} --build ${SCRATCH}/both --config Release)
foreach(program IN ITEMS c_shared c_static cpp_shared cpp_static)
    run(${SCRATCH}/both/${program})
endforeach()

# --- find_package in C alone, where what the static library needs is not there
run(${CMAKE_COMMAND} -S ${sources}/c_only -B ${SCRATCH}/c_only -G ${GENERATOR}
    -DCMAKE_C_COMPILER=${CC} -DCMAKE_BUILD_TYPE=Release "-DCMAKE_PREFIX_PATH=${prefix}"
    -DCMAKE_DISABLE_FIND_PACKAGE_DNNL=ON)
run(${CMAKE_COMMAND} --build ${SCRATCH}/c_only --config Release)
run(${SCRATCH}/c_only/c_only)

# --- pkg-config, as a makefile would use it
if(NOT PKG_CONFIG)
    message(STATUS "skipped: pkg-config is not installed")
    return()
endif()
# The prefix without a space: makefiles have never coped with one.
set(plain ${SCRATCH}/plain)
file(RENAME "${prefix}" ${plain})
set(ENV{PKG_CONFIG_PATH} ${plain}/${LIBDIR}/pkgconfig)
function(flags result)
    execute_process(COMMAND ${PKG_CONFIG} ${ARGN} xconv
        OUTPUT_VARIABLE text OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    separate_arguments(text UNIX_COMMAND "${text}")
    set(${result} ${text} PARENT_SCOPE)
endfunction()
flags(shared --cflags --libs)
flags(static --static --cflags --libs)
list(TRANSFORM static REPLACE "^-lxconv$" "-l:libxconv.a")
set(c99 ${CC} -std=c99 ${sanitize} ${sources}/main.c)
set(cxx17 ${CXX} -std=c++17 ${sanitize} ${sources}/main.cpp)
run(${c99} -o ${SCRATCH}/pc_c_shared ${shared} -lm)
run(${c99} -o ${SCRATCH}/pc_c_static ${static})
run(${cxx17} -o ${SCRATCH}/pc_cpp_shared ${shared})
run(${cxx17} -o ${SCRATCH}/pc_cpp_static ${static})
# No library path here: these have the library inside.
run(${SCRATCH}/pc_c_static)
run(${SCRATCH}/pc_cpp_static)
set(ENV{LD_LIBRARY_PATH} "${plain}/${LIBDIR}:$ENV{LD_LIBRARY_PATH}")
run(${SCRATCH}/pc_c_shared)
run(${SCRATCH}/pc_cpp_shared)
