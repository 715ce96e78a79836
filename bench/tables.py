"""The tables of a report: ratios of medians, each with its worst and best pair.

`rows` maps full row names to results.Row. A case whose rows were not run is
left out of a table; a table without cases is left out of the report."""

import dataclasses
import math

MIB = 1 << 20
PAPER_GEOMEAN = 4.0  # against the paper's layer, over all common cases


@dataclasses.dataclass
class Ratio:
    """How many times longer one row takes than another."""
    value: float
    low: float  # its fastest repetition over the other's slowest
    high: float

    @staticmethod
    def of(slow, fast):
        return Ratio(slow.median / fast.median, slow.low / fast.high, slow.high / fast.low)

    def __str__(self):
        return f"{self.value:.2f} [{self.low:.2f}–{self.high:.2f}]"


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def best_of(rows, names):
    """The row with the smallest median among those that ran."""
    return min((rows[n] for n in names if n in rows), key=lambda row: row.median, default=None)


def exact(rows, case):
    """oneDNN's exact filter gradient: the denominator of every ratio."""
    return best_of(rows, [case.row(f"onednn/filter_{layout}") for layout in ("any", "plain")])


def together(rows, case, step="*/step"):
    """Ratio of a case, or None."""
    slow, fast = exact(rows, case), rows.get(case.row(step))
    return Ratio.of(slow, fast) if slow and fast else None


def table(head, lines):
    if not lines:
        return ""
    rule = "|" + "---|" * len(head)
    return "\n".join(["| " + " | ".join(head) + " |", rule] +
                     ["| " + " | ".join(map(str, line)) + " |" for line in lines]) + "\n"


def met(holds):
    return "yes" if holds else "**no**"


def floors(cases, rows):
    lines = []
    for case in cases:
        ratio = together(rows, case)
        if ratio and case.floor:
            step = rows[case.row("*/step")]
            lines.append((case.title, case.probes, f"{exact(rows, case).median:.2f}",
                          f"{step.median:.2f}", step.label, ratio, case.floor,
                          met(ratio.value >= case.floor)))
    return table(("B, C, image", "r", "exact, ms", "XConv, ms", "order", "ratio [worst–best]",
                  "floor", "met"), lines)


def parts(cases, rows):
    lines = []
    for case in cases:
        names = ("*/sketch", "*/backward_filter", "*/step", "onednn/filter_any",
                 "onednn/filter_plain", "onednn/filter_blocked", "im2col_blas/filter")
        found = [rows.get(case.row(name)) for name in names]
        if all(found[:3]):
            lines.append((case.title, case.scheme, *(f"{r.median:.2f}" if r else "" for r in found)))
    return table(("B, C, image", "scheme", "sketch", "backward_filter", "both",
                  "oneDNN, reorders counted", "oneDNN, plain", "oneDNN, already blocked",
                  "im2col + BLAS"), lines)


def crossed(cases, rows, titles, columns, column_of):
    """One line for a layer, whose titles are `titles(case)`; of its ratios, one column for
    each of `columns`."""
    by_layer = {}
    for case in cases:
        ratio = together(rows, case)
        if ratio:
            by_layer.setdefault((titles(case), case.geometry), (case, {}))[1][column_of(case)] = ratio
    return [(*head, f"{exact(rows, case).median:.2f}", *(str(found.get(c, "")) for c in columns))
            for (head, _), (case, found) in by_layer.items()]


def grid(cases, rows):
    probes = sorted({case.probes for case in cases})
    lines = crossed(cases, rows, lambda case: (case.title,), probes, lambda case: case.probes)
    return table(("B, C, image", "exact, ms", *(f"r = {r}" for r in probes)), lines)


def overhead(cases, rows):
    lines = []
    for case in cases:
        sketch = rows.get(case.row("*/sketch"))
        base = best_of(rows, [case.row(f"onednn/forward_{layout}") for layout in ("any", "plain")])
        names = ("xconv/forward", "*/forward_sketch")
        if sketch and base:
            own = [rows.get(case.row(name)) for name in names]
            lines.append((case.title, case.probes, f"{base.median:.2f}", base.label,
                          f"{sketch.median:.2f}", f"{100 * sketch.median / base.median:.0f} %",
                          *(f"{r.median:.2f}" if r else "" for r in own)))
    return table(("B, C, image", "r", "oneDNN forward, ms", "its kernel", "sketch, ms", "sketch adds",
                  "XConv forward, ms", "with sketch, ms"), lines)


def other_schemes(cases, rows):
    lines = []
    for case in cases:
        ratio = together(rows, case)
        if ratio:
            step = rows[case.row("*/step")]
            lines.append((case.title, case.scheme, f"{step.median:.2f}", step.label, ratio))
    return table(("B, C, image", "scheme", "XConv, ms", "order", "ratio [worst–best]"), lines)


def layers(cases, rows):
    schemes = list(dict.fromkeys(case.scheme for case in cases))
    lines = crossed(cases, rows, lambda case: (case.title, case.kernel_title), schemes,
                    lambda case: case.scheme)
    return table(("B, C, image", "kernel", "exact, ms", *schemes), lines)


def without_mean(case):
    return dataclasses.replace(case, mean=False)


def composed(cases, rows):
    """Schemes with few bits or without the mean, beside exact and beside plain."""
    lines = []
    for case in cases:
        step, base = rows.get(case.row("*/step")), exact(rows, case)
        if step and base and (case.bits or case.mean):
            added = mean_adds(case, rows)
            lines.append((case.title, case.scheme, f"{step.median:.2f}", Ratio.of(step, base),
                          "{:.0%} ({:.0%})".format(*added).replace("%", " %") if added else ""))
    return table(("B, C, image", "scheme", "XConv, ms", "times exact [best–worst]",
                  "what the mean adds (fastest runs)"), lines)


def mean_adds(case, rows):
    """What share a step takes more for the mean, in the median and between the fastest
    repetitions, or None."""
    step, plain = (rows.get(c.row("*/step")) for c in (case, without_mean(case)))
    return (step.median / plain.median - 1, step.low / plain.low - 1) \
        if case.mean and step and plain else None


def allowed_workspace(case):
    # A quarter of x, or three filters, of four bytes to a number.
    return max(32 * MIB, case.x_count, 12 * case.w_count)


def memory(cases, rows):
    lines = []
    for case in cases:
        step = rows.get(case.row("*/step"))
        if step and "kept_bytes" in step.counters:
            c = step.counters
            baseline = rows.get(case.row("onednn/filter_any"))
            peaks = [r.counters.get("peak_bytes") if r else None for r in (step, baseline)]
            lines.append((case.title, case.scheme, f"{c['x_bytes'] / MIB:.1f}",
                          f"{c['kept_bytes'] / 1024:.1f}", f"{c['x_bytes'] / c['kept_bytes']:.0f}",
                          f"{c['workspace_max_bytes'] / MIB:.1f}",
                          f"{allowed_workspace(case) / MIB:.1f}",
                          *(f"{p / MIB:.1f}" if p is not None else "" for p in peaks)))
    return table(("B, C, image", "scheme", "x, MiB", "kept, KiB", "compression",
                  "workspace, MiB", "allowed, MiB", "peak, MiB", "oneDNN's peak, MiB"), lines)


PAPER_MODES = {"dense": "gaussian", "orthogonal": "orthogonal", "independent": "independent"}


def paper_row(case):
    if case.mean or case.bits:
        return None  # theirs has neither
    return case.row(f"paper/{PAPER_MODES.get(case.projection)}_r{case.probes}/step")


def against_pytorch(cases, rows):
    lines = []
    for case in cases:
        step, theirs = rows.get(case.row("*/step")), rows.get(paper_row(case))
        torch = rows.get(case.row("torch/filter"))
        if step and theirs:
            lines.append((case.title, case.scheme, f"{step.median:.2f}", f"{theirs.median:.2f}",
                          Ratio.of(theirs, step), f"{torch.median:.2f}" if torch else "",
                          f"{torch.median / step.median:.2f}" if torch else ""))
    return table(("B, C, image", "scheme", "XConv, ms", "paper's layer, ms", "ratio [worst–best]",
                  "PyTorch exact, ms", "ratio"), lines)


def _verdicts_of_suite(name, cases, requirements, rows):
    ratios = [r.value for r in (together(rows, c) for c in cases) if r]
    if ratios and "worst" in requirements:
        yield f"{name}: slowest of {len(ratios)} cases", min(ratios), requirements["worst"], True
    if ratios and "geomean" in requirements:
        yield f"{name}: geometric mean", geomean(ratios), requirements["geomean"], True
    above = [together(rows, c).value / c.floor for c in cases if c.floor and together(rows, c)]
    if above:
        yield f"{name}: smallest ratio over its floor", min(above), 1.0, True
    if "overhead" in requirements:
        forward = ("onednn/forward_any", "onednn/forward_plain")
        added = [rows[c.row("*/sketch")].median / best_of(rows, map(c.row, forward)).median
                 for c in cases if c.row("*/sketch") in rows]
        if added:
            yield f"{name}: largest share of oneDNN's forward", max(added), \
                requirements["overhead"], False


def _verdicts_on_composition(name, cases, requirements, rows):
    packed = [rows[c.row("*/step")].median / exact(rows, c).median for c in cases
              if c.projection == "identity" and c.bits and together(rows, c)]
    if packed and "packed" in requirements:
        yield f"{name}: identity in few bits, most times exact", max(packed), \
            requirements["packed"], False
    added = [share[0] for share in (mean_adds(c, rows) for c in cases) if share]
    if added and "mean" in requirements:
        yield f"{name}: most that the mean adds to a step", max(added), requirements["mean"], False


def _verdicts_on_memory(cases, rows):
    steps = [(c, rows[c.row("*/step")].counters) for c in cases if c.row("*/step") in rows]
    for what, key in (("workspace", "workspace_max_bytes"), ("measured peak", "peak_bytes")):
        shares = [counters[key] / allowed_workspace(c) for c, counters in steps if key in counters]
        if shares:
            yield f"largest {what}, share of what is allowed", max(shares), 1.0, False


def _verdicts_on_paper(name, cases, rows):
    ratios = {}
    for case in cases:
        step, theirs = rows.get(case.row("*/step")), rows.get(paper_row(case))
        if step and theirs:
            ratios.setdefault(case.projection, []).append(theirs.median / step.median)
    if "dense" in ratios:
        yield f"{name}, dense: geometric mean of {len(ratios['dense'])} cases", \
            geomean(ratios["dense"]), PAPER_GEOMEAN, True
    for projection in ("orthogonal", "independent"):
        if projection in ratios:
            yield f"{name}, {projection}: slowest of {len(ratios[projection])} cases", \
                min(ratios[projection]), 1.0, True


def verdicts(suites, rows):
    """Every promise with what was measured."""
    found = []
    for name, (cases, requirements) in suites.items():
        found += [*_verdicts_of_suite(name, cases, requirements, rows),
                  *_verdicts_on_composition(name, cases, requirements, rows)]
    cases = [case for suite, _ in suites.values() for case in suite]
    of_networks = [case for case in cases if case.suite == "layers"]
    others = [case for case in cases if case.suite != "layers"]
    found += [*_verdicts_on_memory(cases, rows),
              *_verdicts_on_paper("paper's layer", others, rows),
              *_verdicts_on_paper("layers, paper's layer", of_networks, rows)]
    lines = [(what, f"{value:.2f}", f"{'at least' if least else 'at most'} {limit:g}",
              met(value >= limit if least else value <= limit))
             for what, value, limit, least in found]
    return table(("promise", "measured", "asked", "met"), lines)


def machine(context):
    keys = (("cpu", "processor"), ("threads", "threads"), ("processors", "processors it may use"),
            ("onednn", "oneDNN"), ("backends", "XConv's backends"), ("xconv", "XConv"),
            ("pytorch", "PyTorch"), ("date", "date"), ("skipped", "skipped for want of memory"))
    return table(("", ""), [(title, str(context[key]).strip().replace("\n", "; "))
                            for key, title in keys if context.get(key)])


def report(suites, context, rows):
    def of(name):
        return suites[name][0] if name in suites else []

    everything = [case for name in ("floors", "modes", "layers", "grid") for case in of(name)]
    sections = (
        ("Machine", machine(context)),
        ("Promises", verdicts(suites, rows)),
        ("Shapes with a floor", floors(of("floors"), rows)),
        ("The manuscript's grid", grid(of("grid"), rows)),
        ("Other projections and distributions", other_schemes(of("modes"), rows)),
        ("Layers of well-known networks", layers(of("layers"), rows)),
        ("Mean deflation and few bits", composed(of("schemes"), rows)),
        ("Where the time goes, ms", parts(of("floors") + of("modes") + of("schemes"), rows)),
        ("What the sketch adds to a forward pass", overhead(of("overhead"), rows)),
        ("Memory", memory(of("floors") + of("modes") + of("schemes"), rows)),
        ("Against PyTorch", against_pytorch(everything, rows)))
    return "\n".join(f"### {title}\n\n{text}" for title, text in sections if text)
