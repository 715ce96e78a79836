#!/usr/bin/env python3
"""Times PyTorch on the cases of xconv_bench: its own exact filter gradient and,
with --paper, the layer that came with the paper, from a checkout of its code.

    pytorch.py [--paper CHECKOUT] [--threads N] -o RESULT.json CASES.txt ...

The result has the shape that xconv_bench writes; give both to report.py. What
is timed of the paper's layer is what xconv_bench times of ours: the forward
probing of x, and the filter gradient from it, each drawing its own z. Run it
with the same threads, pinned to the same processors.
"""

import argparse
import datetime
import importlib.util
import pathlib
import sys
import time
import types

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import cases as case_files  # noqa: E402
import results  # noqa: E402
import tables  # noqa: E402


def timed(work, repetitions, min_seconds):
    """results.Row of work(): every repetition is a mean over at least min_seconds."""
    work()  # compiles, allocates
    begin = time.perf_counter()
    work()
    once = time.perf_counter() - begin
    runs = max(1, int(min_seconds / max(once, 1e-9)))
    means = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        for _ in range(runs):
            work()
        means.append((time.perf_counter() - begin) / runs * 1e3)
    means.sort()
    return results.Row(means[len(means) // 2], means[0], means[-1], repetitions)


def exact_filter(case, x, dy):
    grad = {1: torch.nn.grad.conv1d_weight, 2: torch.nn.grad.conv2d_weight,
            3: torch.nn.grad.conv3d_weight}[len(case.size)]
    shape = (case.out_channels, case.in_channels // case.groups, *case.kernel)
    return lambda: grad(x, shape, dy, stride=case.stride, padding=case.pad,
                        dilation=case.dilation, groups=case.groups)


def paper_can(case):
    """What the published layer computes: square odd kernels, same-size output."""
    return (case.projection in tables.PAPER_MODES and case.order == "auto" and case.groups == 1
            and not case.mean and not case.bits
            and len(case.size) == 2 and len(set(case.kernel)) == 1 and case.kernel[0] % 2 == 1
            and set(case.stride) == set(case.dilation) == {1}
            and all(p == k // 2 for p, k in zip(case.pad, case.kernel)))


def paper_step(paper, case, x, dy):
    """The two halves of its Xconv2D that concern the filter's gradient."""
    mode = tables.PAPER_MODES[case.projection]
    forward, backward = paper.probe.fwd_probe[mode], paper.probe.back_probe[mode]
    points = case.size[0] * case.size[1]
    offsets = paper.utils.offsets2d(case.size, case.kernel[0])

    def step():
        with torch.no_grad():
            with paper.utils.random_seed_torch(1):
                kept = forward(case.probes, case.batch, case.in_channels, points, x)
            with paper.utils.random_seed_torch(1):
                backward(points, case.in_channels, case.out_channels, case.batch, case.probes,
                         case.kernel[0] ** 2, offsets, dy, kept)

    return step


def load_paper(checkout):
    """Its probing code; the rest of the package wants libraries that this does not."""
    modules = {}
    for name in ("probe", "utils"):
        file = checkout / "pyxconv" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"pyxconv_{name}", file)
        modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    return types.SimpleNamespace(**modules)


def out_size(case):
    return [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, p, s, d in
            zip(case.size, case.kernel, case.pad, case.stride, case.dilation)]


def time_geometry(group, paper, options):
    """{name: Row} of all cases on one geometry."""
    first, rows = group[0], {}
    x = torch.rand(first.batch, first.in_channels, *first.size) * 2 - 1
    dy = torch.rand(first.batch, first.out_channels, *out_size(first)) * 2 - 1
    name = first.row("torch/filter")
    rows[name] = timed(exact_filter(first, x, dy), options.repetitions, options.min_time)
    for case in group:
        name = tables.paper_row(case)
        if paper and case.wants("step") and paper_can(case) and name not in rows:
            rows[name] = timed(paper_step(paper, case, x, dy), options.repetitions,
                               options.min_time)
    for name, row in rows.items():
        print(f"{name:60} {row.median:10.2f} ms [{row.low:.2f}–{row.high:.2f}]", flush=True)
    return rows


def group_by_geometry(files):
    groups = {}
    for file in files:
        for case in case_files.read(file)[0]:
            groups.setdefault(case.geometry, []).append(case)
    return groups.values()


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", type=pathlib.Path)
    parser.add_argument("--paper", type=pathlib.Path, help="checkout that holds pyxconv")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--min-time", type=float, default=0.05, help="seconds per repetition")
    parser.add_argument("--memory", type=int, default=4096,
                        help="skip geometries whose x and dy hold more MiB together")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    return parser


def main():
    options = make_parser().parse_args()
    torch.set_num_threads(options.threads)
    paper = load_paper(options.paper) if options.paper else None
    rows = {}
    for group in group_by_geometry(options.cases):
        first = group[0]
        need = 4 * (first.x_count + first.batch * first.out_channels *
                    torch.Size(out_size(first)).numel()) >> 20
        if need > options.memory:
            print(f"skipped {first.geometry}: x and dy hold {need} MiB", file=sys.stderr)
            continue
        rows.update(time_geometry(group, paper, options))
    context = {"pytorch": f"{torch.__version__}, {options.threads} threads",
               "pytorch_date": datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")}
    results.save(options.output, context, rows)


if __name__ == "__main__":
    main()
