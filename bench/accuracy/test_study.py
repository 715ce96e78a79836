#!/usr/bin/env python3
"""Runs the smallest list of cells the way bench/accuracy/run does, and checks the
numbers, the resuming and the report.

    test_study.py ACCURACY_STUDY SCRATCH_FOLDER
"""

import importlib.util
import pathlib
import shutil
import subprocess
import sys
import unittest

import cells as cell_lists
import findings
import store
import tables

HERE = pathlib.Path(__file__).resolve().parent
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
PUBLISHED = HERE / "results"
DOCUMENT = HERE.parent.parent / "docs" / "accuracy.md"
SKIPPED = 77


def script(name, *words, **options):
    return subprocess.run([sys.executable, str(HERE / name), *map(str, words)], text=True,
                          capture_output=True, **options)


def study(folder, binary=None):
    return script("study.py", binary or program, "--results", folder, "--list", "smoke")


class StudyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(scratch, ignore_errors=True)
        done = study(scratch)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.results = store.Store(scratch)
        cls.states = findings.layer_states(cls.results)

    def test_every_cell_ran(self):
        cells = cell_lists.smoke()
        self.assertTrue(all(self.results.has(cell) for cell in cells))
        self.assertEqual(len(self.results.rows("times")), len(cells))
        for make in (cell_lists.full, cell_lists.quick):
            names = [(cell.part, cell.name) for cell in make()]
            self.assertEqual(len(names), len(set(names)))

    def test_estimates_are_unbiased(self):
        self.assertEqual(len(self.states), 2)
        for state in self.states:
            for point in state.points:
                # About 1 without bias; 7 for 2 bits with the bias of circular shifts.
                self.assertTrue(0.5 < point.bias_ratio < 1.7, point)

    def test_variances_are_as_derived(self):
        for state in self.states:
            variance = {point.scheme: point.variance for point in state.points}
            self.assertAlmostEqual(variance["dense:64"] / variance["dense:256"] / 4, 1, delta=0.25)
            self.assertGreater(variance["dense:64+gaussian"], 0.8 * variance["dense:64"])
            order = ["identity+2bits", "identity+1bit", "dense:256+mean", "dense:256", "dense:64"]
            self.assertEqual(sorted(order, key=variance.get), order)

    def test_compositions_beat_probing_at_equal_bytes(self):
        for state in self.states:
            self.assertGreater(state.gain(state.get("independent:32+mean+2bits")), 8)
            self.assertGreater(state.gain(state.get("identity+1bit")), 25)
            self.assertAlmostEqual(state.gain(state.get("dense:256")), 1, delta=0.15)
            self.assertEqual(state.get("dense:64").kept, 128 * 64 * 4)
            self.assertGreater(state.get("identity+2bits").compression, 15)

    def test_yardsticks(self):
        wide, narrow = self.states
        for state in self.states:
            self.assertTrue(0.1 < state.noise < 1.5, state.noise)
        # The share of the places at a border grows as the image shrinks.
        self.assertTrue(0.01 < wide.circular < narrow.circular < 0.5)

    def test_entries_are_unbiased_and_spread_as_the_root_of_r(self):
        spread = {}
        for row in self.results.rows("entries"):
            exact, mean, std = (float(row[key]) for key in ("exact", "mean", "std"))
            self.assertLess(abs(mean - exact), 5 * std / float(row["draws"]) ** 0.5, row)
            self.assertTrue(float(row["low"]) < mean < float(row["high"]), row)
            spread.setdefault((row["input"], row["scheme"]), []).append(std)
        for source in ("images", "normal"):
            few, many = (sum(spread[source, f"dense:{r}"]) for r in (8, 32))
            self.assertAlmostEqual(few / many, 2, delta=0.4)

    def test_spread_over_batches(self):
        for layer in ("conv 2", "conv 3"):
            std = {row["scheme"]: float(row["std"]) for row in self.results.rows("spread")
                   if row["layer"] == layer}
            self.assertTrue(std["exact"] < std["dense:512"] < std["dense:64"], std)

    def test_image_size(self):
        for network in ("squeezenet", "unet"):
            errors = tables.mean_errors(self.results.rows("image-size"), network)
            self.assertAlmostEqual(errors["dense:16", 64] / errors["dense:128", 64], 8**0.5,
                                   delta=0.9)
            self.assertTrue(0 < errors[findings.NOISE, 64] < 2)

    def test_training(self):
        runs = findings.runs(self.results)[64]
        for run in runs.values():
            self.assertGreater(run.accuracy, 40, run)  # chance is 10
        self.assertEqual(runs["exact"].compression, 1)
        self.assertGreater(runs["identity+2bits"].compression, 15)
        self.assertGreater(runs["dense:64"].compression, 36)

    def test_only_what_is_missing_is_run(self):
        copy = scratch / "copy"
        copy.mkdir()
        for path in scratch.glob("*.csv"):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            wanted = lines if path.stem != "spread" else lines[:1]
            (copy / path.name).write_text("".join(wanted), encoding="utf-8")
        done = study(copy)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{len(cell_lists.smoke()) - 1} cells were finished before", done.stderr)
        self.assertEqual((copy / "spread.csv").read_text(encoding="utf-8"),
                         (scratch / "spread.csv").read_text(encoding="utf-8"))

    def test_a_failing_program_is_reported(self):
        done = study(scratch / "failing", "/bin/false")
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed (1)", done.stderr)

    def test_report(self):
        done = script("report.py", "print", scratch, check=True)
        self.assertIn("about 25x: times less variance than dense", done.stdout)
        self.assertIn("independent r=32, mean, 2 bits", done.stdout)

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"), "no matplotlib")
    def test_plots(self):
        script("report.py", "plot", scratch, scratch / "figures", check=True)
        self.assertEqual(len(list((scratch / "figures").glob("accuracy-*.svg"))), 6)


class PublishedTest(unittest.TestCase):
    def test_document_shows_the_published_results(self):
        done = script("report.py", "check", PUBLISHED, DOCUMENT)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    program, scratch = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    if not DATA.is_dir():
        print(f"skipped: no {DATA} (Debian: dataset-fashion-mnist)")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1])
