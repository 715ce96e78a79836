// A second file of the same program: the header defines nothing twice.
#include "xconv/xconv.hpp"

int status_seen_from_a_second_file()
{
    try {
        const xconv::Context refused(-1);
    }
    catch (const xconv::error &e) {
        return e.status();
    }
    return XCONV_SUCCESS;
}
