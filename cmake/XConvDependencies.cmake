# The libraries behind xconv, found once for csrc/, capi/ and the white-box tests.
find_package(fmt REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(BLAS REQUIRED)
find_path(CBLAS_INCLUDE_DIR cblas.h REQUIRED)
if(XCONV_ONEDNN)
    find_package(DNNL 2.0 REQUIRED)
endif()
