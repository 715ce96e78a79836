# xconv_strict(<target>): this project's warnings and sanitizers for one target.
function(xconv_strict target)
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
        $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual>
        # GCC 12 sees impossible sizes in the comparison of two std::vector<uint8_t>.
        $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread>
        $<$<BOOL:${XCONV_WERROR}>:-Werror>)
    if(XCONV_SANITIZE)
        target_compile_options(${target} PRIVATE
            -fsanitize=${XCONV_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
        target_link_options(${target} PUBLIC -fsanitize=${XCONV_SANITIZE})
    endif()
endfunction()
