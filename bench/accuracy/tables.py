"""Markdown tables of the study's findings."""

import findings

#: Rows of the overview of variances; the first ones are the paper's.
OVERVIEW = ("dense:16", "dense:64", "orthogonal:64", "independent:32", "dense:256",
            "dense:512+4bits", "dense:1024+4bits", "independent:32+mean",
            "independent:16+mean+2bits", "independent:32+mean+2bits", "identity+1bit",
            "identity+2bits", "identity+4bits")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def number(value):
    """Two or three digits that matter."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:.3g}" if value >= 0.995 else f"{value:.2g}"


def promises(results):
    return table(("promise", "measured", "asked", "met", "where it is closest"),
                 [(each.text, f"{each.measured:.3g}",
                   f"at {'least' if each.at_least else 'most'} {each.bound:g}",
                   "yes" if each.met else "**no**", each.where)
                  for each in findings.promises(results)])


def variance(results):
    states = findings.layer_states(results)
    schemes = [scheme for scheme in OVERVIEW if any(state.get(scheme) for state in states)]
    rows = []
    for scheme in schemes:
        row = [findings.scheme_name(scheme)]
        for state in states:
            point = state.get(scheme)
            row.append(f"{point.compression:.0f}x: {number(point.variance)}" if point else "")
        rows.append(row)
    if states:
        rows.append(["the mini-batch's own noise", *(number(s.noise) for s in states)])
        rows.append(["circular shifts, squared bias at any r",
                     *(number(s.circular) for s in states)])
    return table(("kept", *(state.title for state in states)), rows)


def equal_bytes(results):
    rows = []
    for low, high in ((80, 125), (20, 31)):
        for state in findings.layer_states(results):
            point = state.best(low, high)
            if point:
                rows.append((state.title, findings.scheme_name(point.scheme),
                             f"{point.compression:.0f}x", number(point.variance),
                             number(state.dense_at(point.kept)), number(state.gain(point))))
    return table(("layer", "best composition", "compression", "its variance",
                  "dense, same bytes", "times less"), rows)


def mnist(results):
    runs = findings.runs(results)
    schemes = list(dict.fromkeys(scheme for row in runs.values() for scheme in row))
    rows = []
    for scheme in schemes:
        row = [findings.scheme_name(scheme)]
        found = [of_batch[scheme] for of_batch in runs.values() if scheme in of_batch]
        row.append(f"{found[0].compression:.0f}x")
        for batch, of_batch in runs.items():
            paper = findings.MANUSCRIPT.get(batch, {}).get(scheme)
            text = f"{of_batch[scheme].accuracy:.2f}" if scheme in of_batch else ""
            row.append(text + (f" ({paper:.2f})" if paper and text else ""))
        rows.append(row)
    head = [f"B = {batch}, {next(iter(row.values())).epochs} epochs" for batch, row in runs.items()]
    return table(("kept of the inputs", "compression", *head), rows)


def image_size(results):
    rows = results.rows("image-size")
    networks = list(dict.fromkeys(row["network"] for row in rows))
    lines = []
    for network in networks:
        errors = mean_errors(rows, network)
        sizes = sorted({size for _, size in errors})
        for scheme in dict.fromkeys(scheme for scheme, _ in errors):
            lines.append((network, mark_name(scheme),
                          ", ".join(f"{size}: {number(errors[scheme, size])}" for size in sizes)))
    return table(("layers of", "kept", "image size: mean relative error"), lines)


def mean_errors(rows, network):
    """{(scheme, size): error averaged over the layers of a network}."""
    groups = {}
    for row in rows:
        if row["network"] == network:
            key = row["scheme"], int(row["size"])
            groups.setdefault(key, []).append(float(row["error"]))
    return {key: sum(errors) / len(errors) for key, errors in groups.items()}


def mark_name(scheme):
    if scheme == findings.NOISE:
        return "the mini-batch's own noise"
    return findings.scheme_name(scheme)


def spread(results):
    rows = results.rows("spread")
    batches = sorted({int(row["batch"]) for row in rows})
    lines = []
    for layer in sorted({row["layer"] for row in rows}):
        for scheme in dict.fromkeys(row["scheme"] for row in rows):
            found = {int(row["batch"]): float(row["std"]) for row in rows
                     if (row["layer"], row["scheme"]) == (layer, scheme)}
            lines.append((layer, findings.scheme_name(scheme),
                          *(number(1e3 * found[batch]) for batch in batches)))
    return table(("layer", "kept", *(f"B = {batch}" for batch in batches)), lines)


def cost(results):
    parts = {}
    for row in results.rows("times"):
        parts.setdefault(row["part"], []).append(float(row["processor"]))
    rows = [(part, str(len(times)), f"{sum(times) / 60:.1f}") for part, times in parts.items()]
    total = sum(sum(times) for times in parts.values()) / 60
    rows.append(("all", str(sum(map(len, parts.values()))), f"{total:.1f}"))
    return table(("part", "cells", "processor minutes"), rows)


TABLES = {"promises": promises, "variance": variance, "equal-bytes": equal_bytes, "mnist": mnist,
          "image-size": image_size, "spread": spread, "cost": cost}
