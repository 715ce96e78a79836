#!/usr/bin/env python3
"""Check that the README's C and C++ blocks are the regions that the examples
mark with `[readme]`, so that what the README shows is compiled and run.

usage: check_readme.py README.md LANGUAGE=FILE...
"""

import pathlib
import re
import sys
import textwrap


def marked_region(file):
    """The lines between the two comments `[readme]`, without their indentation."""
    lines = pathlib.Path(file).read_text().splitlines()
    marks = [number for number, line in enumerate(lines) if "[readme]" in line]
    if len(marks) != 2:
        sys.exit(f"{file}: expected two [readme] marks, found {len(marks)}")
    return textwrap.dedent("\n".join(lines[marks[0] + 1:marks[1]])).strip()


def fenced_blocks(text, language):
    pattern = rf"^```{re.escape(language)}\n(.*?)^```$"
    return [block.strip() for block in re.findall(pattern, text, re.DOTALL | re.MULTILINE)]


def main():
    readme, *examples = sys.argv[1:]
    text = pathlib.Path(readme).read_text()
    failures = 0
    for language, file in (example.split("=", 1) for example in examples):
        region = marked_region(file)
        blocks = fenced_blocks(text, language)
        if blocks != [region]:
            failures += 1
            print(f"{readme} has {len(blocks)} ```{language} block(s); expected one, which is the "
                  f"region marked in {file}:\n{textwrap.indent(region, '    ')}")
            for block in blocks:
                print(f"  found:\n{textwrap.indent(block, '    ')}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
