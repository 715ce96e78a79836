#!/usr/bin/env python3
"""Runs xconv_bench on a few small cases and its result through report.py.

    test_bench.py XCONV_BENCH SCRATCH_FOLDER
"""

import json
import pathlib
import subprocess
import sys
import unittest

import cases as case_files
import results
import tables

HERE = pathlib.Path(__file__).resolve().parent
SMOKE = HERE / "cases" / "smoke.txt"
ROWS = {"exact": ("onednn/filter_any", "onednn/filter_plain"),
        "info": ("onednn/filter_blocked", "im2col_blas/filter", "xconv/filter_exact"),
        "step": ("*/step",), "parts": ("*/sketch", "*/backward_filter"),
        "forward": ("onednn/forward_any", "onednn/forward_plain", "xconv/forward",
                    "*/forward_sketch", "*/sketch")}


def run(*words, **options):
    return subprocess.run([str(w) for w in words], check=True, text=True, capture_output=True,
                          **options)


class BenchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.raw, cls.small = scratch / "smoke.json", scratch / "smoke-condensed.json"
        run(program, SMOKE, "--threads", 2, "--benchmark_repetitions=2",
            "--benchmark_min_time=0.001", f"--benchmark_out={cls.raw}")
        run(sys.executable, HERE / "report.py", "condense", cls.raw, "-o", cls.small)
        cls.cases = case_files.read(SMOKE)[0]
        cls.context, cls.rows = results.load(cls.raw)

    def test_every_row_ran(self):
        wanted = {case.row(row) for case in self.cases for group, rows in ROWS.items()
                  if case.wants(group) for row in rows}
        self.assertEqual(set(self.rows), wanted)
        for name, row in self.rows.items():
            self.assertTrue(0 < row.low <= row.median <= row.high, name)
            self.assertEqual(row.repetitions, 2, name)

    def test_counters(self):
        for case in self.cases:
            counters = self.rows[case.row("*/step")].counters
            self.assertEqual(counters["x_bytes"], 4 * case.x_count)
            per_channel = case.in_channels if case.projection == "independent" else 1
            kept = case.probes
            if case.projection == "orthogonal" and kept > case.in_channels:
                kept -= kept % case.in_channels
            numbers = case.x_count if case.projection == "identity" else \
                case.batch * kept * per_channel
            numbers += case.batch * case.in_channels if case.mean else 0
            if case.bits:  # and two levels for every group, in the bytes of one number
                self.assertGreater(counters["kept_bytes"], numbers * case.bits / 8)
                if case.group:
                    groups = case.batch * -(-numbers // (case.batch * case.group))
                    self.assertEqual(counters["kept_bytes"], numbers * case.bits / 8 + 4 * groups)
            else:
                self.assertEqual(counters["kept_bytes"], 4 * numbers)
            self.assertLessEqual(counters["workspace_max_bytes"], tables.allowed_workspace(case))
            self.assertGreaterEqual(counters["peak_bytes"], 0)
            self.assertIn(self.rows[case.row("*/step")].label, ("dy_first", "x_first"))

    def test_forced_order_is_taken(self):
        forced = [case for case in self.cases if case.order != "auto"]
        self.assertEqual({case.order for case in forced}, {"dy_first", "x_first"})
        for case in forced:
            self.assertEqual(self.rows[case.row("*/step")].label, case.order)

    def test_condensed_results_say_the_same(self):
        context, rows = results.load(self.small)
        self.assertNotIn("host_name", context)
        self.assertEqual(context["threads"], "2")
        self.assertEqual(set(rows), set(self.rows))
        for name, row in rows.items():
            self.assertAlmostEqual(row.median / self.rows[name].median, 1, places=4)
            self.assertEqual(row.counters, self.rows[name].counters)

    def test_merged_results_name_all_that_was_skipped(self):
        paths = []
        for i, skipped in enumerate(("", "large larger", "large")):
            paths.append(scratch / f"skipped-{i}.json")
            data = json.loads(self.raw.read_text(encoding="utf-8"))
            data["context"]["skipped"] = skipped
            paths[-1].write_text(json.dumps(data), encoding="utf-8")
        context, rows = results.merge(paths)
        self.assertEqual(context["skipped"], "large larger")
        self.assertEqual(rows, self.rows)

    def test_tables_hold_the_ratios(self):
        dense = self.cases[0]
        expected = (min(self.rows[dense.row(f"onednn/filter_{k}")].median for k in ("any", "plain"))
                    / self.rows[dense.row("*/step")].median)
        self.assertAlmostEqual(tables.together(self.rows, dense).value, expected)
        text = tables.report({"modes": (self.cases, {"worst": 0.0})}, self.context, self.rows)
        self.assertIn(f"| {dense.scheme} |", text)
        self.assertIn(f"{expected:.2f} [", text)
        self.assertIn(f"slowest of {len(self.cases)} cases", text)

    def test_document_is_updated_and_checked(self):
        document = scratch / "document.md"
        name = self.small.name
        document.write_text(f"before\n<!-- begin: {name} -->\nold\n<!-- end: {name} -->\nafter\n",
                            encoding="utf-8")
        command = [sys.executable, HERE / "report.py"]
        with self.assertRaises(subprocess.CalledProcessError):
            run(*command, "check", document)
        run(*command, "update", document)
        run(*command, "check", document)
        text = document.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("before\n") and text.endswith("-->\nafter\n"))
        self.assertIn("### Machine", text)
        self.assertNotIn("old\n", text)

    def test_filter_selects_rows(self):
        listed = run(program, SMOKE, "--benchmark_list_tests", "--benchmark_filter=dense.*/step")
        names = listed.stdout.split()
        self.assertTrue(names)
        self.assertTrue(all(n.endswith("/step/real_time") and "dense" in n for n in names), names)

    def test_bad_cases_are_refused(self):
        for line in ("b4 c4 n8 k3 q5", "b4 c4 k3", "b4 c4 n8x8 k3x3x3", "b4 c4 n8 k3 rows=some"):
            done = subprocess.run([program, "--case", line], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, line)
            self.assertIn("xconv_bench: ", done.stderr)

    def test_published_tables_match_their_results(self):
        run(sys.executable, HERE / "report.py", "check", HERE.parent / "docs" / "performance.md")


if __name__ == "__main__":
    program, scratch = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
