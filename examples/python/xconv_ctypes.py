#!/usr/bin/env python3
"""XConv from Python with nothing but the standard library.

Loads libxconv with ctypes, takes filter gradients of a small convolution from
sketches of its input, and checks that they are unbiased: entry by entry, the
mean over many seeds meets the exact gradient, which plain loops compute here.

usage: xconv_ctypes.py [path of libxconv.so]     default: XCONV_LIBRARY, or the system's
"""

import array
import ctypes
import ctypes.util
import math
import os
import random
import sys

BATCH, IN, OUT, SIZE, KERNEL, PAD, STRIDE = 3, 2, 3, 7, 3, 1, 2
PROBES, DRAWS = 8, 20000
DENSE, RADEMACHER = 1, 0
QUERY_SKETCH_BYTES, QUERY_WORKSPACE_MAX, QUERY_OUT_SIZE_0 = 4, 13, 5


class ConvDesc(ctypes.Structure):
    """xconv_conv_desc"""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("rank", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
        ("flip", ctypes.c_int32),
        ("float32_dw", ctypes.c_int32),
        ("batch", ctypes.c_int64),
        ("in_channels", ctypes.c_int64),
        ("out_channels", ctypes.c_int64),
        ("groups", ctypes.c_int64),
        ("in_size", ctypes.c_int64 * 3),
        ("kernel", ctypes.c_int64 * 3),
        ("stride", ctypes.c_int64 * 3),
        ("dilation", ctypes.c_int64 * 3),
        ("pad_begin", ctypes.c_int64 * 3),
        ("pad_end", ctypes.c_int64 * 3),
    ]


class SchemeDesc(ctypes.Structure):
    """xconv_scheme_desc"""

    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("projection", ctypes.c_int32),
        ("distribution", ctypes.c_int32),
        ("probes", ctypes.c_int64),
        ("deflate_mean", ctypes.c_int32),
        ("bits", ctypes.c_int32),
        ("group", ctypes.c_int64),
    ]


def load_library(path):
    path = path or os.environ.get("XCONV_LIBRARY") or ctypes.util.find_library("xconv")
    if not path:
        sys.exit("libxconv not found: name it as the argument or in XCONV_LIBRARY")
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        sys.exit(f"libxconv cannot be loaded: {error}")
    library.xconv_last_error.restype = ctypes.c_char_p
    return library


class Convolution:
    """One plan with its buffers. Arrays are array.array('f'), C order."""

    def __init__(self, library):
        self.library = library
        self.context = ctypes.c_void_p()
        self.plan = ctypes.c_void_p()
        conv = ConvDesc(struct_size=ctypes.sizeof(ConvDesc), rank=2, batch=BATCH, groups=1,
                        in_channels=IN, out_channels=OUT)
        for axis in range(2):
            conv.in_size[axis] = SIZE
            conv.kernel[axis] = KERNEL
            conv.stride[axis] = STRIDE
            conv.dilation[axis] = 1
            conv.pad_begin[axis] = conv.pad_end[axis] = PAD
        scheme = SchemeDesc(struct_size=ctypes.sizeof(SchemeDesc), projection=DENSE,
                            distribution=RADEMACHER, probes=PROBES)
        self.check(library.xconv_context_create(None, ctypes.byref(self.context)))
        self.check(library.xconv_plan_create(self.context, ctypes.byref(conv),
                                             ctypes.byref(scheme), None, ctypes.byref(self.plan)))
        self.kept = ctypes.create_string_buffer(self.query(QUERY_SKETCH_BYTES))
        self.work = ctypes.create_string_buffer(max(1, self.query(QUERY_WORKSPACE_MAX)))

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.xconv_last_error().decode())

    def query(self, what):
        value = ctypes.c_int64()
        self.check(self.library.xconv_plan_query(self.plan, what, ctypes.byref(value)))
        return value.value

    def sketch(self, x, seed):
        self.check(self.library.xconv_sketch(
            self.context, self.plan, pointer(x), ctypes.c_uint64(seed), self.kept,
            ctypes.c_size_t(len(self.kept)), self.work, ctypes.c_size_t(len(self.work))))

    def backward_filter(self, dy, seed, dw):
        self.check(self.library.xconv_backward_filter(
            self.context, self.plan, self.kept, ctypes.c_size_t(len(self.kept)),
            ctypes.c_uint64(seed), pointer(dy), ctypes.c_double(0), pointer(dw), self.work,
            ctypes.c_size_t(len(self.work))))

    def close(self):
        self.library.xconv_plan_destroy(self.plan)
        self.library.xconv_context_destroy(self.context)


def pointer(values):
    return ctypes.c_void_p(values.buffer_info()[0])


def exact_filter_gradient(x, dy, out):
    """The definition, in loops: dw[o,i,p,q] = sum of x * dy over batch and places."""
    dw = []
    for o in range(OUT):
        for i in range(IN):
            for p in range(KERNEL):
                for q in range(KERNEL):
                    total = 0.0
                    for b in range(BATCH):
                        for row in range(out):
                            for column in range(out):
                                h = row * STRIDE + p - PAD
                                v = column * STRIDE + q - PAD
                                if 0 <= h < SIZE and 0 <= v < SIZE:
                                    total += (x[((b * IN + i) * SIZE + h) * SIZE + v]
                                              * dy[((b * OUT + o) * out + row) * out + column])
                    dw.append(total)
    return dw


def main():
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__.strip().splitlines()[-1])
        return 0
    conv = Convolution(load_library(sys.argv[1] if len(sys.argv) > 1 else None))
    out = conv.query(QUERY_OUT_SIZE_0)
    generator = random.Random(5)
    x = array.array("f", (generator.random() for _ in range(BATCH * IN * SIZE * SIZE)))
    dy = array.array("f", (generator.uniform(-1, 1) for _ in range(BATCH * OUT * out * out)))
    dw = array.array("f", bytes(4 * OUT * IN * KERNEL * KERNEL))

    sums = [0.0] * len(dw)
    squares = [0.0] * len(dw)
    for seed in range(DRAWS):
        conv.sketch(x, seed)
        conv.backward_filter(dy, seed, dw)
        for i, value in enumerate(dw):
            sums[i] += value
            squares[i] += value * value
    conv.close()

    worst = 0.0
    for total, square, truth in zip(sums, squares, exact_filter_gradient(x, dy, out)):
        mean = total / DRAWS
        deviation = math.sqrt((square / DRAWS - mean * mean) / DRAWS)
        worst = max(worst, abs(mean - truth) / deviation)
    # A normal variable passes 4.5 in one case of 150000; here are 54 of them.
    print(f"x has {4 * len(x)} bytes, its sketch {len(conv.kept)}")
    print(f"mean of {DRAWS} gradients against the exact one: the worst of {len(dw)} entries is "
          f"{worst:.2f} standard errors away")
    return 0 if worst < 4.5 else 1


if __name__ == "__main__":
    sys.exit(main())
