"""Reads and writes results in the JSON shape of Google Benchmark."""

import dataclasses
import json
import statistics

# What the machine's owner would not want in a repository, or nobody needs.
_PRIVATE = ("host_name", "executable", "caches", "load_avg", "library_build_type",
            "cpu_scaling_enabled", "json_schema_version")
_COUNTERS = ("kept_bytes", "x_bytes", "workspace_bytes", "workspace_max_bytes", "peak_bytes")
_TO_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclasses.dataclass
class Row:
    """Times of one row in milliseconds, over its repetitions."""
    median: float
    low: float
    high: float
    repetitions: int = 1
    label: str = ""
    counters: dict = dataclasses.field(default_factory=dict)


def _row(entries):
    """One row from its aggregates, or from its repetitions."""
    times = {e.get("aggregate_name", "once"): e["real_time"] * _TO_MS[e["time_unit"]]
             for e in entries if e.get("aggregate_unit", "time") == "time"}
    last = entries[-1]
    if "median" in times:
        last = next(e for e in entries if e.get("aggregate_name") == "median")
        median = times["median"]
        low, high = (times.get(k, last.get(k)) for k in ("min", "max"))
    else:
        single = [e["real_time"] * _TO_MS[e["time_unit"]] for e in entries]
        median, low, high = statistics.median(single), min(single), max(single)
    return Row(median, low, high, last.get("repetitions", len(entries)), last.get("label", ""),
               {k: last[k] for k in _COUNTERS if k in last})


def load(path):
    """(context, {name: Row}). Rows that failed are left out."""
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    entries = {}
    for entry in data["benchmarks"]:
        if not entry.get("error_occurred"):
            entries.setdefault(entry["run_name"].removesuffix("/real_time"), []).append(entry)
    context = {k: v for k, v in data["context"].items() if k not in _PRIVATE}
    return context, {name: _row(group) for name, group in entries.items()}


def merge(paths):
    """All rows; the context of the first file, and what any of them skipped."""
    context, rows, skipped = {}, {}, []
    for path in paths:
        more_context, more_rows = load(path)
        skipped += more_context.get("skipped", "").split()
        context = {**more_context, **context}
        rows.update(more_rows)
    return {**context, "skipped": " ".join(dict.fromkeys(skipped))}, rows


def save(path, context, rows):
    """One line for every row: its median, with the extremes as counters in ms."""
    lines = []
    for name, row in rows.items():
        low, median, high = (float(f"{t:.5g}") for t in (row.low, row.median, row.high))
        counters = {key: int(value) for key, value in row.counters.items()}
        lines.append(json.dumps({"name": f"{name}_median", "run_name": name,
                                 "run_type": "aggregate", "aggregate_name": "median",
                                 "repetitions": row.repetitions, "real_time": median,
                                 "time_unit": "ms", "min": low, "max": high, **counters,
                                 "label": row.label}))
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"context": ' + json.dumps(context, indent=1) + ',\n"benchmarks": [\n')
        file.write(",\n".join(lines) + "\n]}\n")
