/* What a program learns that asks for a GPU, on machines with and without one,
 * from libraries with and without the CUDA backend; the CPU works on all. */
#include <stdio.h>
#include <string.h>
#include <xconv/xconv.h>

#include "c_check.h"

int failures = 0;

static void ask(void)
{
    const int built = strstr(xconv_backends(), "\ncuda: ") != NULL;
    xconv_context_desc desc = XCONV_CONTEXT_DESC_INIT;
    xconv_context *context = NULL;
    xconv_status status;
    desc.device = XCONV_CUDA;
    status = xconv_context_create(&desc, &context);
    if (!built) {
        CHECK(status == XCONV_UNSUPPORTED, "%d", status);
        CHECK(strstr(xconv_last_error(), "no CUDA backend") != NULL, "%s", xconv_last_error());
    }
    else if (status != XCONV_SUCCESS) {
        CHECK(status == XCONV_DEVICE_ERROR, "%d", status);
        CHECK(strstr(xconv_last_error(), "device = CUDA: ") != NULL, "%s", xconv_last_error());
        CHECK(context == NULL, "%p", (void *)context);
    }
    xconv_context_destroy(context);
}

static void work_on_the_cpu(void)
{
    const float x[3] = {-1, 0, 2};
    float y[3] = {9, 9, 9};
    xconv_context *context = NULL;
    CHECK(xconv_context_create(NULL, &context) == XCONV_SUCCESS, "%s", xconv_last_error());
    CHECK(xconv_relu_forward(context, XCONV_F32, 3, 0, 1, x, y, NULL, 0) == XCONV_SUCCESS, "%s",
          xconv_last_error());
    CHECK(y[0] == 0 && y[1] == 0 && y[2] == 1, "%g %g %g", y[0], y[1], y[2]);
    xconv_context_destroy(context);
}

int main(void)
{
    ask();
    work_on_the_cpu();
    return failures != 0;
}
