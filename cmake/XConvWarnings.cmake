# xconv_strict(<target>): this project's warnings and sanitizers for one target.
function(xconv_strict target)
    set(warnings -Wall -Wextra -Wshadow -Wconversion)
    list(JOIN warnings "," host_warnings)
    # GCC counts array bounds made of int template parameters, which kernels have.
    list(APPEND warnings -Wsign-conversion)
    target_compile_options(${target} PRIVATE
        "$<$<COMPILE_LANGUAGE:C,CXX>:${warnings};-Wpedantic>"
        $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual>
        # GCC 12 sees impossible sizes in the comparison of two std::vector<uint8_t>.
        $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-stringop-overread>
        $<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<BOOL:${XCONV_WERROR}>>:-Werror>
        "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${host_warnings};-Wno-deprecated-gpu-targets>"
        "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${XCONV_WERROR}>>:--Werror=all-warnings;-Xcompiler=-Werror>")
    if(XCONV_SANITIZE)
        target_compile_options(${target} PRIVATE
            "$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${XCONV_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
        target_link_options(${target} PUBLIC -fsanitize=${XCONV_SANITIZE})
    endif()
endfunction()
