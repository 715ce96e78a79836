# xconv_declared_functions(<header> <result>): names of all functions that the
# header marks XCONV_API.
function(xconv_declared_functions header result)
    file(READ ${header} text)
    string(REPLACE ";" "@" text "${text}") # a CMake list would split there
    string(REGEX MATCHALL "\nXCONV_API [^@(]*[ *]xconv_[a-z0-9_]+\\(" names "${text}")
    list(TRANSFORM names REPLACE "^.*[ *](xconv_[a-z0-9_]+)\\($" "\\1")
    string(REGEX MATCHALL "\nXCONV_API " marks "${text}")
    list(LENGTH names found)
    list(LENGTH marks expected)
    if(found EQUAL 0 OR NOT found EQUAL expected)
        message(FATAL_ERROR "${header}: ${expected} lines open with XCONV_API, "
            "but ${found} function names were read from them")
    endif()
    set(${result} ${names} PARENT_SCOPE)
endfunction()
