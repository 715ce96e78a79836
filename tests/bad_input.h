/* What the tables of bad_input*.c share. Each row asserts the exact status, a
 * message that names the function, the argument and its value, and outputs that
 * were not touched. */
#ifndef XCONV_TESTS_BAD_INPUT_H
#define XCONV_TESTS_BAD_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <xconv/xconv.h>

#include "c_check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HUGE_SIZE INT64_MAX
#define HUGE_TEXT "9223372036854775807"

/* A change of one field of a struct: where, how long, to what. */
struct change {
    size_t offset;
    size_t size;
    int64_t value;
};
#define FIELD(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)
/* Entry `i` of an array of int64_t. */
#define ENTRY(type, field, i) offsetof(struct type, field) + (i) * sizeof(int64_t), sizeof(int64_t)

/* Make the change in the struct at `base`. */
void apply(void *base, const struct change *change);

/* Check one failure; `value` is NULL where there is none to name. */
void check_failure(const char *row, const char *function, xconv_status got, xconv_status expected,
                   const char *argument, const char *value);

/* Descriptors that are all right, for rows to change. */
extern const xconv_conv_desc good_conv;     /* batch 2, channels 4 -> 6, image 8x7, groups 2 */
extern const xconv_scheme_desc good_scheme; /* dense, rademacher, 3 probes */
extern const xconv_pool_desc good_pool;     /* batch 2, channels 3, image 6x6, window 3x3 */

xconv_context *context_of(int32_t threads);

void test_descriptors(const xconv_context *context); /* bad_descriptors.c */
void test_calls(const xconv_context *context);       /* bad_calls.c */

#endif
