/* Assertions for the C99 tests: they report and count, the program goes on. */
#ifndef XCONV_TESTS_C_CHECK_H
#define XCONV_TESTS_C_CHECK_H

#include <stdio.h>

extern int failures; /* defined by the program */

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ++failures;                                                                            \
            printf("%s:%d: " #condition ": ", __FILE__, __LINE__);                                 \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
        }                                                                                          \
    } while (0)

#endif
