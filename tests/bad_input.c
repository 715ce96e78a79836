/* Every way to call the library wrongly, as tables: the program and what they
 * share. C99. */
#include "bad_input.h"

#include <string.h>

int failures = 0;

/* Does `text` hold `word`, not as a part of a longer one? */
static int has_word(const char *text, const char *word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const size_t length = strlen(word);
    const char *at = strstr(text, word);
    for (; at != NULL; at = strstr(at + 1, word)) {
        const char after = at[length];
        const int free_before = at == text || strchr(letters, at[-1]) == NULL;
        const int free_after = after == '\0' || strchr(letters, after) == NULL;
        if (free_before && free_after) {
            return 1;
        }
    }
    return 0;
}

void check_failure(const char *row, const char *function, xconv_status got, xconv_status expected,
                   const char *argument, const char *value)
{
    const char *message = xconv_last_error();
    CHECK(got == expected, "%s: %s instead of %s (%s)", row, xconv_status_name(got),
          xconv_status_name(expected), message);
    if (got == XCONV_SUCCESS) {
        return;
    }
    CHECK(has_word(message, function), "%s: no '%s' in: %s", row, function, message);
    CHECK(has_word(message, argument), "%s: no '%s' in: %s", row, argument, message);
    CHECK(value == NULL || has_word(message, value), "%s: no '%s' in: %s", row, value, message);
}

void apply(void *base, const struct change *change)
{
    char *field = (char *)base + change->offset;
    if (change->size == sizeof(int32_t)) {
        const int32_t narrow = (int32_t)change->value;
        memcpy(field, &narrow, sizeof narrow);
    }
    else if (change->size == sizeof(int64_t)) {
        memcpy(field, &change->value, sizeof change->value);
    }
    else {
        CHECK(0, "a field of %d bytes in a table", (int)change->size);
    }
}

const xconv_conv_desc good_conv = {sizeof(xconv_conv_desc),
                                   2,
                                   XCONV_F32,
                                   0,
                                   0,
                                   2,
                                   4,
                                   6,
                                   2,
                                   {8, 7, 0},
                                   {3, 3, 0},
                                   {1, 1, 1},
                                   {1, 1, 1},
                                   {1, 1, 0},
                                   {1, 1, 0}};
const xconv_scheme_desc good_scheme = {
    sizeof(xconv_scheme_desc), XCONV_DENSE, XCONV_RADEMACHER, 3, 0, 0, 0};
const xconv_pool_desc good_pool = {sizeof(xconv_pool_desc),
                                   2,
                                   XCONV_F32,
                                   2,
                                   3,
                                   {6, 6, 0},
                                   {3, 3, 0},
                                   {2, 2, 1},
                                   {0, 0, 0},
                                   {0, 0, 0}};

xconv_context *context_of(int32_t threads)
{
    xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
    xconv_context *context = NULL;
    desc.threads = threads;
    CHECK(xconv_context_create(&desc, &context) == XCONV_SUCCESS, "%s", xconv_last_error());
    return context;
}

static void test_status_names(void)
{
    xconv_status status;
    CHECK(strcmp(xconv_status_name(XCONV_SUCCESS), "XCONV_SUCCESS") == 0, "wrong name");
    CHECK(strcmp(xconv_status_name(XCONV_MISMATCH), "XCONV_MISMATCH") == 0, "wrong name");
    CHECK(strcmp(xconv_status_name(XCONV_INTERNAL), "XCONV_INTERNAL") == 0, "wrong name");
    for (status = -3; status < 20; ++status) {
        CHECK(xconv_status_name(status) != NULL, "status %d", (int)status);
    }
}

int main(void)
{
    xconv_context *context;
    CHECK(strcmp(xconv_last_error(), "") == 0, "an error before any call");
    test_status_names();
    context = context_of(1);
    test_descriptors(context);
    test_calls(context);
    xconv_context_destroy(context);
    printf("%s: %d failures\n", failures == 0 ? "passed" : "FAILED", failures);
    return failures == 0 ? 0 : 1;
}
