#!/usr/bin/env python3
"""Turns results of xconv_bench (and of baselines/) into tables of ratios.

    report.py print    RESULT.json ...               tables to standard output
    report.py condense RESULT.json ... -o OUT.json   what is worth committing
    report.py update   DOCUMENT.md                   renew the tables inside it
    report.py check    DOCUMENT.md                   fail if they need renewing

A document names the results that a section of it shows, relative to itself:
    <!-- begin: FILE.json --> ... <!-- end: FILE.json -->
"""

import argparse
import pathlib
import re
import sys

import cases as case_files
import results
import tables

SECTION = re.compile(r"(<!-- begin: (\S+\.json) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def report(paths, cases):
    suites = {path.stem: case_files.read(path) for path in sorted(cases.glob("*.txt"))}
    return tables.report(suites, *results.merge(paths))


def renewed(document, cases):
    """The text of a document with every section made anew."""
    text = document.read_text(encoding="utf-8")
    if not SECTION.search(text):
        raise SystemExit(f"{document} has no section for results")
    return SECTION.sub(lambda found: "{}\n{}\n{}".format(
        found[1], report([document.parent / found[2]], cases), found[3]), text)


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("print", "condense", "update", "check"))
    parser.add_argument("file", nargs="+", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--cases", type=pathlib.Path, default=case_files.FOLDER,
                        help="folder of the files of cases")
    return parser


def main():
    parser = make_parser()
    options = parser.parse_args()
    if options.command == "print":
        print(report(options.file, options.cases))
    elif options.command == "condense":
        if options.output is None:
            parser.error("condense needs --output")
        results.save(options.output, *results.merge(options.file))
    for document in options.file if options.command in ("update", "check") else ():
        wanted = renewed(document, options.cases)
        if options.command == "update":
            document.write_text(wanted, encoding="utf-8")
        elif wanted != document.read_text(encoding="utf-8"):
            print(f"{document} is not what its results say: run 'report.py update' on it",
                  file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
