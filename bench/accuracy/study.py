#!/usr/bin/env python3
"""Runs the cells of the study that are not finished yet; see README.md.

    study.py PROGRAM --results FOLDER [--list full|quick|smoke] [--parts a,b] [--jobs 2]
"""

import argparse
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import cells as cell_lists
import progress
import store


class Runner:
    """Calls accuracy_study, on one thread for each cell."""

    def __init__(self, program, data):
        self._program, self._data = program, data
        self._running, self._lock = set(), threading.Lock()
        self._stopped = False

    def run(self, cell):
        """What the program printed, and what that cost in seconds."""
        command = [str(self._program), cell.part, *cell.arguments,
                   "--data", str(self._data[cell.data])]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        begin = time.monotonic()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as log:
            with self._lock:
                if self._stopped:
                    raise KeyboardInterrupt
                process = subprocess.Popen(command, stdout=out, stderr=log, env=environment)
                self._running.add(process)
            # Not process.wait(): it would not say how much processor time was used.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            with self._lock:
                self._running.discard(process)
            for file in (out, log):
                file.seek(0)
            if process.returncode != 0:
                raise RuntimeError(f"{' '.join(command)} failed ({process.returncode}):\n"
                                   + log.read()[-2000:])
            return out.read(), {"wall": time.monotonic() - begin,
                                "processor": usage.ru_utime + usage.ru_stime}

    def stop(self):
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()


def run_all(cells, results, runner, jobs):
    """Run what is missing. Whatever finishes is kept, also when the rest fails."""
    missing = [cell for cell in cells if not results.has(cell)]
    shown = progress.Progress(missing, len(cells) - len(missing))
    shown.start()
    # Long ones first, so that no core ends up waiting for a late one.
    missing.sort(key=lambda cell: -cell.seconds)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(runner.run, cell): cell for cell in missing}
        try:
            for future in concurrent.futures.as_completed(futures):
                text, cost = future.result()
                results.add(futures[future], text, **cost)
                shown.finish(futures[future], cost["wall"])
        except BaseException:
            for future in futures:
                future.cancel()
            runner.stop()
            raise


def available(cells, data):
    """The cells whose data set is there; says which are left out."""
    missing = {cell.data for cell in cells if not data[cell.data]
               or not any(pathlib.Path(data[cell.data]).glob("train-images*"))}
    for name in sorted(missing):
        print(f"study.py: no {name} in '{data[name]}': its parts are left out", file=sys.stderr)
    return [cell for cell in cells if cell.data not in missing]


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--results", type=pathlib.Path, required=True)
    parser.add_argument("--list", choices=cell_lists.LISTS, default="full")
    parser.add_argument("--parts", default="", help="only these, a,b,c")
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time")
    parser.add_argument("--fashion-mnist", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--mnist", default="", help="folder of MNIST's four IDX files")
    return parser


def main():
    options = make_parser().parse_args()
    data = {cell_lists.FASHION: options.fashion_mnist, cell_lists.MNIST: options.mnist}
    parts = options.parts.split(",") if options.parts else None
    cells = available([cell for cell in cell_lists.LISTS[options.list]()
                       if parts is None or cell.part in parts], data)
    results = store.Store(options.results)
    # As Ctrl-C, so that no program goes on behind a driver that was told to stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        run_all(cells, results, Runner(options.program, data), options.jobs)
    except KeyboardInterrupt:
        print("\nstudy.py: interrupted; what is finished is kept, and the next run goes on from "
              "there", file=sys.stderr)
        return 130
    except RuntimeError as error:
        print(f"study.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
