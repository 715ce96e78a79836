#!/usr/bin/env python3
"""Run the demo the way a user would and check what it writes.

usage: check_demo.py DEMO train DIRECTORY   tiny training run on a real data set;
                                            exits 77 when it is not installed
       check_demo.py DEMO advise DIRECTORY  advice on the same, and its plot
       check_demo.py DEMO input             how it takes good and broken files
"""

import csv
import gzip
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

SKIPPED = 77
SCHEMES = ["exact", "identity", "dense:64", "orthogonal:64", "independent:16", "identity+2bits",
           "identity+1bit", "independent:16+mean+2bits", "dense:512+4bits"]


def run(demo, *arguments):
    return subprocess.run([demo, *map(str, arguments)], capture_output=True, text=True)


def expect(condition, message):
    if not condition:
        sys.exit(f"check_demo: {message}")


def train(demo, directory, folder, *arguments):
    """The runs of the JSON table, by scheme; the CSV has to say the same."""
    table, sheet = folder / "table.json", folder / "table.csv"
    result = run(demo, "--data", directory, "--json", table, "--csv", sheet, "--threads", 2,
                 "--epochs", 1, *arguments)
    expect(result.returncode == 0, f"the demo failed:\n{result.stdout}{result.stderr}")
    document = json.loads(table.read_text())
    rows = list(csv.DictReader(sheet.open()))
    expect([row["scheme"] for row in rows] == [each["scheme"] for each in document["runs"]],
           "CSV and JSON list different schemes")
    for row, each in zip(rows, document["runs"]):
        expect(int(row["kept_bytes"]) == each["kept_bytes"], f"CSV and JSON differ: {row}")
        expect(each["scheme"] in result.stdout, f"{each['scheme']} is not in the printed table")
    return {each["scheme"]: each for each in document["runs"]}


def check_memory(runs):
    for name, each in runs.items():
        expect(sum(each["kept"].values()) == each["kept_bytes"], f"{name}: kinds do not add up")
    exact, identity = runs["exact"], runs["identity"]
    expect(exact["compression"] == 1 and exact["conv_compression"] == 1, "exact is the yardstick")
    expect(exact["kept"]["sketches"] == 0 and exact["kept"]["relu_masks"] == 0,
           "exact may keep neither sketch nor mask")
    # Both gradients are exact and start from the same weights and batches.
    expect(identity["final_loss"] == exact["final_loss"], "identity must train as exact does")
    expect(identity["conv_held_bytes"] == exact["conv_held_bytes"], "identity keeps all of x")
    # What the whole network holds, ReLU bits and pool indices included.
    expect(runs["2 bits"]["compression"] >= 16, f"2 bits: {runs['2 bits']['compression']} times")
    for name, each in runs.items():
        if name not in ("exact", "identity"):
            expect(each["compression"] > identity["compression"] > 1, f"{name}: no compression")
            expect(each["conv_compression"] > 1, f"{name}: its sketches are not smaller than x")
            expect(each["kept"]["sketches"] == each["conv_held_bytes"], f"{name}: stray sketch")


def check_training(demo, directory):
    limits = ["--train-limit", 512, "--test-limit", 1000, "--batch", 32]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runs = train(demo, directory, folder, *limits, "--schemes", ",".join(SCHEMES))
        expect(len(runs) == len(SCHEMES), f"schemes missing: {sorted(runs)}")
        check_memory(runs)
        for scheme, each in runs.items():
            # Chance is 0.1, its standard deviation over 1000 images below 0.01.
            expect(each["test_accuracy"] > 0.3, f"{scheme} learnt nothing: {each}")
            expect(each["step_ms"] > 0, f"{scheme}: no time measured")
        again = train(demo, directory, folder, *limits, "--schemes", "dense:64")["dense r=64"]
        for field in ("final_loss", "test_accuracy", "kept_bytes"):
            expect(again[field] == runs["dense r=64"][field], f"{field} is not reproducible")
    return 0


def check_advice(demo, directory):
    with tempfile.TemporaryDirectory() as name:
        plot = pathlib.Path(name) / "advice.svg"
        result = run(demo, "--data", directory, "--train-limit", 256, "--batch", 32, "--advise",
                     "--plot", plot)
        expect(result.returncode == 0, f"the demo failed:\n{result.stdout}{result.stderr}")
        layers = result.stdout.count("\nconvolution ")
        expect(layers == 2, f"advice for {layers} layers:\n{result.stdout}")
        expect(result.stdout.count("\n* ") == 2, "each layer has one recommendation")
        expect(result.stdout.count("\n  exact ") == 2, "nothing is less noisy than exact")
        svg = "{http://www.w3.org/2000/svg}"
        root = xml.etree.ElementTree.parse(plot).getroot()
        width, height = float(root.get("width")), float(root.get("height"))
        panels = root.findall(f"{svg}g")
        expect(len(panels) == layers, f"{len(panels)} panels for {layers} layers")
        for panel in panels:
            points = [each for each in panel.findall(f"{svg}circle") if len(each)]
            expect(len(points) > 20, f"{len(points)} points in a panel")
            for point in points:
                expect(0 < float(point.get("cx")) < width / layers and
                       0 < float(point.get("cy")) < height, "a point lies outside its panel")
    return 0


def idx(shape, values):
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(values)


def write_bars(folder, compress):
    """Three classes: a bright bar at the top, in the middle, at the bottom."""
    size, count = 12, 60
    labels = [number % 3 for number in range(count)]
    pixels = [255 if row // 4 == label else 0
              for label in labels for row in range(size) for _ in range(size)]
    for stem in ("train", "t10k"):
        for kind, data in (("images-idx3", idx((count, size, size), pixels)),
                           ("labels-idx1", idx((count,), labels))):
            name = f"{stem}-{kind}-ubyte" + (".gz" if compress else "")
            (folder / name).write_bytes(gzip.compress(data) if compress else data)


# What is written over train-images-idx3-ubyte, and what the demo must say.
BROKEN = [
    (b"", "ends inside its header"),
    (b"\x01\x00\x08\x03", "must open with two zero bytes"),
    (b"\x00\x00\x0d\x03", "element type 0x0d"),
    (idx((60,), [0] * 60), "has 1 axes, expected 3"),
    (idx((60, 12, 0), []), "impossible size 0 along axis 2"),
    (idx((2**32 - 1,) * 3, []), "impossible size"),
    (idx((60, 12, 12), [0] * 100), "ends inside its data"),
    (idx((60, 12, 12), [0] * (60 * 144 + 1)), "goes on after the data"),
    (idx((50, 12, 12), [0] * (50 * 144)), "50 images but"),
    (idx((60, 10, 12), [0] * (60 * 120)), "training images are 10x12, test images 12x12"),
    (gzip.compress(idx((60, 12, 12), [0] * (60 * 144)))[:-20], "train-images"),
]


def flags_in(text):
    """Every --flag of a help text but --help, which goes without saying."""
    return set(re.findall(r"--[a-z-]+", text)) - {"--help"}


def check_input(demo):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        missing = run(demo, "--data", folder)
        expect(missing.returncode == 1 and "no train-images-idx3-ubyte" in missing.stderr,
               f"an empty directory is not named as such: {missing.stderr}")
        for compress in (True, False):  # plain files win where both exist
            write_bars(folder, compress)
            flags = ["--batch", 6, "--schemes", "exact,independent:64"]
            for scheme, each in train(demo, folder, folder, *flags).items():
                expect(each["test_accuracy"] > 0.9, f"{scheme} cannot tell bars apart: {each}")
        target = folder / "train-images-idx3-ubyte"
        for content, message in BROKEN:
            target.write_bytes(content)
            result = run(demo, "--data", folder, "--batch", 6)
            expect(result.returncode == 1 and message in result.stderr,
                   f"expected '{message}', got {result.returncode}: {result.stderr}")
    for flags, message in [(["--schemes", "dense:0"], "'0' is not a number of probes"),
                           (["--schemes", "sparse"], "unknown scheme 'sparse'"),
                           (["--scheme", "dense:8+3bits"], "unknown step '+3bits'"),
                           (["--scheme", "dense:8+bits+mean"], "unknown step '+bits'"),
                           (["--scheme", "identity+2bits+group:x"], "'x' is not a number"),
                           (["--plot", "x.svg"], "--advise"),
                           (["--distribution", "cauchy"], "unknown distribution 'cauchy'"),
                           (["--epochs", "0"], "--epochs")]:
        result = run(demo, *flags)
        expect(result.returncode not in (0, 1) and message in result.stderr,
               f"{flags}: expected '{message}', got {result.returncode}: {result.stderr}")
    help = run(demo, "--help")
    expect(help.returncode == 0, "--help fails")
    script = pathlib.Path(__file__).resolve().parent.parent / "scripts" / "demo"
    told = flags_in(run("bash", script, "--help").stdout)
    expect(told == flags_in(help.stdout),
           f"scripts/demo --help and the demo's differ: {told ^ flags_in(help.stdout)}")
    return 0


def main():
    demo, what, *rest = sys.argv[1:]
    if what == "input":
        return check_input(demo)
    directory, = rest
    if not (pathlib.Path(directory) / "train-images-idx3-ubyte.gz").is_file():
        print(f"skipped: no Fashion-MNIST in {directory} (Debian: dataset-fashion-mnist)")
        return SKIPPED
    return {"train": check_training, "advise": check_advice}[what](demo, directory)


if __name__ == "__main__":
    sys.exit(main())
