# Finds oneDNN 2.x or 3.x by its header and library, as the target DNNL::dnnl.
# (Its own package file also asks for OpenCL or SYCL, which a CPU build that
# links libdnnl has no use for.) Installed with xconv for the static library.
#   DNNL_INCLUDE_DIR, DNNL_LIBRARY   where it is
#   DNNL_VERSION                     such as 2.6.3
find_path(DNNL_INCLUDE_DIR NAMES oneapi/dnnl/dnnl.h)
find_library(DNNL_LIBRARY NAMES dnnl)
mark_as_advanced(DNNL_INCLUDE_DIR DNNL_LIBRARY)

set(DNNL_VERSION "")
if(EXISTS "${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h")
    foreach(_dnnl_part IN ITEMS MAJOR MINOR PATCH)
        file(STRINGS "${DNNL_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h" _dnnl_line
            REGEX "#define DNNL_VERSION_${_dnnl_part} +[0-9]+")
        string(REGEX MATCH "[0-9]+" _dnnl_line "${_dnnl_line}")
        list(APPEND DNNL_VERSION ${_dnnl_line})
    endforeach()
    list(JOIN DNNL_VERSION "." DNNL_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DNNL
    REQUIRED_VARS DNNL_LIBRARY DNNL_INCLUDE_DIR VERSION_VAR DNNL_VERSION)

if(DNNL_FOUND AND NOT TARGET DNNL::dnnl)
    add_library(DNNL::dnnl UNKNOWN IMPORTED)
    set_target_properties(DNNL::dnnl PROPERTIES
        IMPORTED_LOCATION "${DNNL_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${DNNL_INCLUDE_DIR}")
endif()
