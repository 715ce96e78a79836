# xconv_install_pkgconfig(<template>): write and install xconv.pc, relocatable,
# with the libraries a static link needs.
function(xconv_install_pkgconfig template)
    set(flags "")
    foreach(library IN LISTS DNNL_LIBRARY BLAS_LIBRARIES OpenMP_CXX_LIBRARIES)
        get_filename_component(folder "${library}" DIRECTORY)
        get_filename_component(name "${library}" NAME)
        if(folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES AND name MATCHES "^lib(.+)\\.(so|a)$")
            list(APPEND flags "-l${CMAKE_MATCH_1}")
        else()
            list(APPEND flags "${library}")
        endif()
    endforeach()
    # The C++ runtime, for a program that a C compiler links.
    foreach(runtime IN ITEMS stdc++ c++)
        if(runtime IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
            list(APPEND flags "-l${runtime}")
        endif()
    endforeach()
    list(APPEND flags -lm)
    if(XCONV_SANITIZE)
        list(APPEND flags -fsanitize=${XCONV_SANITIZE})
    endif()
    list(REMOVE_DUPLICATES flags)
    list(JOIN flags " " pc_libs_private)

    file(RELATIVE_PATH pc_prefix "${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig"
        "${CMAKE_INSTALL_PREFIX}")
    string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
    configure_file(${template} xconv.pc @ONLY)
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/xconv.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
