# Finds cuDNN by its header and library, as the target CUDNN::cudnn. Installed with
# xconv for the static library.
#   CUDNN_INCLUDE_DIR, CUDNN_LIBRARY   where it is
#   CUDNN_VERSION                      such as 9.19.0
find_path(CUDNN_INCLUDE_DIR NAMES cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
find_library(CUDNN_LIBRARY NAMES cudnn HINTS ${CUDAToolkit_LIBRARY_DIR})
mark_as_advanced(CUDNN_INCLUDE_DIR CUDNN_LIBRARY)

set(CUDNN_VERSION "")
if(EXISTS "${CUDNN_INCLUDE_DIR}/cudnn_version.h")
    foreach(_cudnn_part IN ITEMS MAJOR MINOR PATCHLEVEL)
        file(STRINGS "${CUDNN_INCLUDE_DIR}/cudnn_version.h" _cudnn_line
            REGEX "#define CUDNN_${_cudnn_part} +[0-9]+")
        string(REGEX MATCH "[0-9]+" _cudnn_line "${_cudnn_line}")
        list(APPEND CUDNN_VERSION ${_cudnn_line})
    endforeach()
    list(JOIN CUDNN_VERSION "." CUDNN_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNN
    REQUIRED_VARS CUDNN_LIBRARY CUDNN_INCLUDE_DIR VERSION_VAR CUDNN_VERSION)

if(CUDNN_FOUND AND NOT TARGET CUDNN::cudnn)
    add_library(CUDNN::cudnn UNKNOWN IMPORTED)
    set_target_properties(CUDNN::cudnn PROPERTIES IMPORTED_LOCATION "${CUDNN_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CUDNN_INCLUDE_DIR}")
endif()
