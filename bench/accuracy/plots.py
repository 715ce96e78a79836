"""Plots of the study's findings, as SVG files whose bytes depend on the results alone."""

import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend has to be chosen first)

import findings  # noqa: E402
import tables  # noqa: E402

STYLE = {"svg.hashsalt": "xconv", "svg.fonttype": "none", "font.size": 9, "axes.grid": True,
         "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
         "legend.frameon": False, "lines.markersize": 4, "lines.linewidth": 1.2}

#: Lines through the cloud of compositions: name, which schemes, colour, marker.
FAMILIES = (("dense (the paper)", r"dense:\d+", "tab:red", "o"),
            ("dense, 4 bits", r"dense:\d+\+4bits", "tab:orange", "o"),
            ("independent (the paper)", r"independent:\d+", "tab:purple", "s"),
            ("independent, mean, 2 bits", r"independent:\d+\+mean\+2bits", "tab:blue", "s"),
            ("everything in 8, 4, 2, 1 bits", r"identity\+\dbits?", "tab:green", "D"))


def _save(figure, folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"accuracy-{name}.svg", bbox_inches="tight",
                   metadata={"Date": None, "Creator": None})
    plt.close(figure)


def _powers_of_two(axes, values):
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted(set(values)), labels=[str(value) for value in sorted(set(values))])


def _share_legend(figure, axes, **where):
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, **{"loc": "upper center", "bbox_to_anchor": (0.5, 0), **where})


def variance(results, folder):
    states = findings.layer_states(results)
    layers = list(dict.fromkeys((state.network, state.layer) for state in states))
    figure, axes = plt.subplots(2, len(layers), figsize=(3.1 * len(layers), 6.2), sharey=True,
                                layout="constrained")
    for state in states:
        _variance_panel(axes[int(state.epochs != 0), layers.index((state.network, state.layer))],
                        state)
    for row in axes:
        row[0].set_ylabel("relative variance of one draw")
    for panel in axes[1]:
        panel.set_xlabel("compression of the layer's input")
    _share_legend(figure, axes[0, 0], ncols=4)
    _save(figure, folder, "variance")


def _variance_panel(axes, state):
    axes.set_title(state.title)
    axes.loglog([p.compression for p in state.points], [p.variance for p in state.points], ".",
                color="0.75", markersize=3, label="other compositions")
    for name, pattern, colour, marker in FAMILIES:
        line = sorted((p for p in state.points if re.fullmatch(pattern, p.scheme)),
                      key=lambda p: p.compression)
        axes.loglog([p.compression for p in line], [p.variance for p in line], marker=marker,
                    color=colour, label=name)
    axes.axhline(state.noise, color="black", linestyle=":", label="the mini-batch's own noise")
    axes.axhline(state.circular, color="tab:red", linestyle="--",
                 label="squared bias of circular shifts")


def entries(results, folder):
    rows = [row for row in results.rows("entries") if row["batch"] == "8"]
    schemes = list(dict.fromkeys(row["scheme"] for row in rows))
    inputs = list(dict.fromkeys(row["input"] for row in rows))
    figure, axes = plt.subplots(len(inputs), len(schemes), squeeze=False, sharex=True,
                                sharey="row", figsize=(3.1 * len(schemes), 2.7 * len(inputs)),
                                layout="constrained")
    for i, source in enumerate(inputs):
        for j, scheme in enumerate(schemes):
            _entries_panel(axes[i, j], [row for row in rows if (row["input"], row["scheme"])
                                        == (source, scheme)])
            axes[i, j].set_title(f"x: {source}, {findings.scheme_name(scheme)}")
        axes[i, 0].set_ylabel("filter gradient")
    for panel in axes[-1]:
        panel.set_xlabel("entry of the filter")
    _share_legend(figure, axes[0, 0], ncols=5)
    _save(figure, folder, "entries")


def _entries_panel(axes, rows):
    x = [int(row["entry"]) for row in rows]
    column = {name: [float(row[name]) for row in rows]
              for name in ("exact", "mean", "std", "sample", "low", "high")}
    axes.fill_between(x, column["low"], column["high"], color="tab:cyan", alpha=0.4,
                      linewidth=0, label="95 % of the draws")
    axes.fill_between(x, [m - s for m, s in zip(column["mean"], column["std"])],
                      [m + s for m, s in zip(column["mean"], column["std"])], color="tab:orange",
                      alpha=0.6, linewidth=0, label="mean and standard deviation")
    axes.plot(x, column["sample"], color="0.5", linewidth=0.6, label="one draw")
    axes.plot(x, column["mean"], color="tab:red", linewidth=1, label="mean of 100 draws")
    axes.plot(x, column["exact"], color="black", linewidth=1, linestyle=":", label="exact")


def relative_spread(results, folder):
    """Standard deviation of the draws over the size of the gradient, for B and r."""
    sums = {}
    for row in results.rows("entries"):
        key = row["input"], int(row["batch"]), int(row["scheme"].split(":")[1])
        total = sums.setdefault(key, [0.0, 0.0])
        total[0] += float(row["std"]) ** 2
        total[1] += float(row["exact"]) ** 2
    inputs = sorted({key[0] for key in sums})
    figure, axes = plt.subplots(1, len(inputs), squeeze=False, sharey=True,
                                figsize=(3.4 * len(inputs), 2.8), layout="constrained")
    for panel, source in zip(axes[0], inputs):
        for batch in sorted({key[1] for key in sums if key[0] == source}):
            probes = sorted(key[2] for key in sums if key[:2] == (source, batch))
            totals = [sums[source, batch, r] for r in probes]
            panel.plot(probes, [(a / b) ** 0.5 for a, b in totals], marker="o",
                       label=f"B = {batch}")
        _powers_of_two(panel, [key[2] for key in sums])
        panel.set_title(f"x: {source}")
        panel.set_xlabel("probes r")
    axes[0, 0].set_ylabel("standard deviation / gradient")
    axes[0, -1].legend()
    _save(figure, folder, "entries-spread")


def spread(results, folder):
    rows = results.rows("spread")
    layers = sorted({row["layer"] for row in rows})
    figure, axes = plt.subplots(1, len(layers), squeeze=False, sharey=True,
                                figsize=(4 * len(layers), 3.2), layout="constrained")
    for panel, layer in zip(axes[0], layers):
        for scheme in dict.fromkeys(row["scheme"] for row in rows):
            line = sorted((int(row["batch"]), float(row["std"])) for row in rows
                          if (row["layer"], row["scheme"]) == (layer, scheme))
            exact = scheme == "exact"
            panel.plot(*zip(*line), marker="o", label=findings.scheme_name(scheme),
                       color="black" if exact else None, zorder=3 if exact else 2)
        _powers_of_two(panel, [int(row["batch"]) for row in rows])
        panel.set_title(layer)
        panel.set_xlabel("batch size")
    axes[0, 0].set_ylabel("standard deviation over mini-batches")
    _share_legend(figure, axes[0, 0], ncols=4)
    _save(figure, folder, "batches")


def image_size(results, folder):
    rows = results.rows("image-size")
    networks = list(dict.fromkeys(row["network"] for row in rows))
    titles = {"squeezenet": "layers of SqueezeNet", "unet": "layers of a U-Net"}
    figure, axes = plt.subplots(1, len(networks), squeeze=False, sharey=True,
                                figsize=(4 * len(networks), 3.2), layout="constrained")
    for panel, network in zip(axes[0], networks):
        errors = tables.mean_errors(rows, network)
        for scheme in dict.fromkeys(scheme for scheme, _ in errors):
            sizes = sorted(size for name, size in errors if name == scheme)
            noise = scheme == findings.NOISE
            panel.plot(sizes, [errors[scheme, size] for size in sizes], marker="o",
                       color="black" if noise else None, linestyle=":" if noise else "-",
                       label=tables.mark_name(scheme))
        _powers_of_two(panel, [size for _, size in errors])
        panel.set_title(titles[network])
        panel.set_xlabel("image size")
    axes[0, 0].set_ylabel("mean relative error of the gradient")
    _share_legend(figure, axes[0, 0], ncols=3)
    _save(figure, folder, "image-size")


def mnist(results, folder):
    runs = findings.runs(results)
    figure, axes = plt.subplots(1, len(runs), squeeze=False, sharey=True,
                                figsize=(3.6 * len(runs), 3.4), layout="constrained")
    for panel, (batch, of_batch) in zip(axes[0], runs.items()):
        panel.set_title(f"B = {batch}")
        panel.set_xlabel("compression of the convolutions' inputs")
        if "exact" in of_batch:
            panel.axhline(of_batch["exact"].accuracy, color="black", linestyle=":",
                          label="exact")
        paper = [(run.compression, run.accuracy, scheme) for scheme, run in of_batch.items()
                 if re.fullmatch(r"dense:\d+", scheme)]
        panel.semilogx([p[0] for p in paper], [p[1] for p in paper], "o-", color="tab:red",
                       label="dense (the paper)")
        reported = findings.MANUSCRIPT.get(batch, {})
        panel.semilogx([p[0] for p in paper if p[2] in reported],
                       [reported[p[2]] for p in paper if p[2] in reported], "x", color="tab:red",
                       label="in the manuscript")
        new = [run for scheme, run in of_batch.items()
               if scheme != "exact" and not re.fullmatch(r"dense:\d+", scheme)]
        panel.semilogx([run.compression for run in new], [run.accuracy for run in new], "D",
                       color="tab:blue", label="compositions")
        for run in new:
            panel.annotate(findings.scheme_name(run.scheme), (run.compression, run.accuracy),
                           fontsize=6, xytext=(3, 3), textcoords="offset points")
    axes[0, 0].set_ylabel("test accuracy, %")
    _share_legend(figure, axes[0, 0], ncols=4)
    _save(figure, folder, "mnist")


def draw_all(results, folder):
    with plt.rc_context(STYLE):
        for part, draw in (("variance", variance), ("entries", entries),
                           ("entries", relative_spread), ("spread", spread),
                           ("image-size", image_size), ("training", mnist)):
            if results.rows(part):
                draw(results, folder)
