#!/usr/bin/env python3
"""Turns the results of the study into tables and plots.

    report.py print   RESULTS              tables to standard output
    report.py plot    RESULTS FIGURES      plots, as SVG
    report.py update  RESULTS DOCUMENT.md  renew the tables inside it
    report.py check   RESULTS DOCUMENT.md  fail if they need renewing
    report.py publish RESULTS DOCUMENT.md  copy the results to results/, and renew the
                                           document and the plots beside it

A document marks where tables go: <!-- begin: NAME --> ... <!-- end: NAME -->
"""

import argparse
import pathlib
import re
import sys

import cells
import store
import tables

PUBLISHED = pathlib.Path(__file__).resolve().parent / "results"
BLOCK = re.compile(r"(<!-- begin: ([a-z-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def renewed(text, results):
    if not BLOCK.search(text):
        raise SystemExit("report.py: the document has no place for tables")
    return BLOCK.sub(lambda found: f"{found[1]}\n{tables.TABLES[found[2]](results)}\n\n{found[3]}",
                     text)


def print_all(results):
    for name, make in tables.TABLES.items():
        text = make(results)
        if len(text.splitlines()) > 2:  # more than a head
            print(f"\n{name}\n\n{text}")


def update(document, results):
    text = document.read_text(encoding="utf-8")
    document.write_text(renewed(text, results), encoding="utf-8")


def is_current(document, results):
    text = document.read_text(encoding="utf-8")
    return renewed(text, results) == text


def plot(folder, results):
    import plots  # needs matplotlib, which the rest does not
    plots.draw_all(results, folder)


def publish(document, results):
    results.keep_only(cells.full())
    results.save_to(PUBLISHED)
    update(document, results)
    plot(document.parent / "figures", results)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("print", "plot", "update", "check", "publish"))
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path, nargs="?")
    options = parser.parse_args()
    if options.command != "print" and options.target is None:
        parser.error(f"{options.command} needs a second path")
    results = store.Store(options.results)
    if options.command == "print":
        print_all(results)
    elif options.command == "plot":
        plot(options.target, results)
    elif options.command == "update":
        update(options.target, results)
    elif options.command == "publish":
        publish(options.target, results)
    elif not is_current(options.target, results):
        print(f"{options.target} is not what the results say: run 'report.py update'",
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
