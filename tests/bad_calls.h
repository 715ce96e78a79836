/* Rows of calls with one bad argument each, and what checks them. */
#ifndef XCONV_TESTS_BAD_CALLS_H
#define XCONV_TESTS_BAD_CALLS_H

#include "bad_input.h"
#include "calls.h"

struct call_row {
    xconv_status (*call)(struct arguments *);
    const char *function;
    struct change change;
    xconv_status status;
    const char *argument;
    const char *value;
};

#define CALL(name) call_##name, "xconv_" #name
#define ARG(field) FIELD(arguments, field)
#define IS_NULL(name, field)                                                                       \
    {                                                                                              \
        CALL(name), {ARG(field), 0}, XCONV_INVALID_ARGUMENT, #field, "NULL"                        \
    }
/* For arguments that have another name in the library than in the struct here. */
#define IS_NULL_NAMED(name, field, word)                                                           \
    {                                                                                              \
        CALL(name), {ARG(field), 0}, XCONV_INVALID_ARGUMENT, word, "NULL"                          \
    }
#define TOO_SHORT(name, field, bytes, text)                                                        \
    {                                                                                              \
        CALL(name), {ARG(field), bytes}, XCONV_BUFFER_TOO_SMALL, #field, text                      \
    }

/* Make the call of the row and check its failure, and that no array in `memory`, where
 * those among good arguments lie, was touched. */
void check_call(const struct call_row *row, struct arguments *a, const unsigned char *memory);

void test_arrays(const struct arguments *good, const unsigned char *memory); /* bad_arrays.c */

#endif
