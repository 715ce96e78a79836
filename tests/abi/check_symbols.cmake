# cmake -DNM= -DHEADER= -DLIBRARY= -DKIND=shared|static -P check_symbols.cmake
# shared: the exported symbols are exactly the functions of the header.
# static: strong symbols are those functions or live in C++ namespace xconv.
cmake_minimum_required(VERSION 3.22)
include(${CMAKE_CURRENT_LIST_DIR}/DeclaredFunctions.cmake)
xconv_declared_functions(${HEADER} declared)

if(KIND STREQUAL "shared")
    set(options -D --defined-only)
else()
    set(options --extern-only --defined-only --demangle)
endif()
execute_process(COMMAND ${NM} ${options} ${LIBRARY}
    OUTPUT_VARIABLE table COMMAND_ERROR_IS_FATAL ANY)

# Lines read "<address> <type> <name>"; W, V and u are duplicates that the linker
# merges, such as templates and inline functions.
string(REPLACE ";" "," table "${table}")
string(REGEX MATCHALL "[0-9a-f]+ [A-Zui] [^\n]+" lines "${table}")
set(symbols "")
foreach(line IN LISTS lines)
    if(KIND STREQUAL "static" AND line MATCHES "^[0-9a-f]+ [WVu] ")
        continue()
    endif()
    string(REGEX REPLACE "^[0-9a-f]+ . " "" name "${line}")
    list(APPEND symbols "${name}")
endforeach()

set(failed FALSE)
foreach(name IN LISTS declared)
    if(NOT name IN_LIST symbols)
        message(SEND_ERROR "declared in xconv.h and not defined: ${name}")
        set(failed TRUE)
    endif()
endforeach()
list(REMOVE_ITEM symbols ${declared})
if(KIND STREQUAL "static")
    list(FILTER symbols EXCLUDE REGEX "^((non-virtual thunk to|vtable for|typeinfo for|typeinfo name for|guard variable for) )?xconv::")
    # What the compiler adds: locks of named critical sections, and what
    # AddressSanitizer puts beside every variable.
    list(FILTER symbols EXCLUDE REGEX "^(\\.gomp_critical_user_xconv|__odr_asan)")
endif()
foreach(name IN LISTS symbols)
    message(SEND_ERROR "defined and not declared in xconv.h: ${name}")
    set(failed TRUE)
endforeach()
if(NOT failed)
    list(LENGTH declared count)
    message(STATUS "${LIBRARY}: ${count} functions, and no other symbol")
endif()
