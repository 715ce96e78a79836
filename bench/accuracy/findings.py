"""What the rows of the study say: the same numbers for tables, plots and tests."""

import dataclasses
import re
import statistics

#: (network, layer, what it is)
LAYERS = (("demo", "conv 2", "16 channels, 14x14"), ("demo", "conv 3", "32 channels, 7x7"),
          ("wide", "conv 2", "16 channels, 28x28"), ("wide", "conv 3", "32 channels, 14x14"))
NOISE, CIRCULAR = "mini-batch", "circular-bias"

#: Accuracy in the manuscript's table for MNIST, in percent.
MANUSCRIPT = {64: {"exact": 99.30, "dense:2": 94.74, "dense:8": 97.21, "dense:32": 98.62,
                   "dense:64": 98.29},
              256: {"exact": 99.23, "dense:2": 95.84, "dense:8": 97.62, "dense:32": 98.38,
                    "dense:64": 98.48},
              1024: {"exact": 98.84, "dense:2": 93.94, "dense:8": 96.25, "dense:32": 97.89,
                     "dense:64": 98.03}}


@dataclasses.dataclass(frozen=True)
class Point:
    """A scheme on a layer."""
    scheme: str
    compression: float
    kept: int
    variance: float
    error: float  # standard error of the variance
    bias_ratio: float


@dataclasses.dataclass(frozen=True)
class LayerState:
    """A layer at one moment of training."""
    network: str
    layer: str
    epochs: int
    points: tuple
    noise: float
    circular: float

    @property
    def title(self):
        shape = next(text for network, layer, text in LAYERS
                     if (network, layer) == (self.network, self.layer))
        return f"{shape}, {'trained' if self.epochs else 'initial'}"

    def get(self, scheme):
        return next((point for point in self.points if point.scheme == scheme), None)

    def dense_at(self, kept):
        """Variance of the paper's scheme at so many bytes. It falls as 1 / bytes, so
        every measured one tells the same constant."""
        dense = [point for point in self.points if re.fullmatch(r"dense:\d+", point.scheme)]
        return statistics.fmean(point.variance * point.kept for point in dense) / kept

    def gain(self, point):
        """How many times less variance than the paper's scheme at the same bytes."""
        return self.dense_at(point.kept) / point.variance

    def best(self, low, high):
        """The largest gain among the compressions from low to high."""
        return max((point for point in self.points if low <= point.compression <= high),
                   key=self.gain, default=None)

    def front(self):
        """Points that no other one beats in bytes and variance."""
        chosen = []
        for point in sorted(self.points, key=lambda p: (p.kept, p.variance)):
            if not chosen or point.variance < chosen[-1].variance:
                chosen.append(point)
        return chosen


def layer_states(results, cells=None):
    groups = {}
    for row in results.rows("variance", cells):
        key = row["network"], row["layer"], int(row["epochs"])
        groups.setdefault(key, []).append(row)
    states = []
    for (network, layer, epochs), rows in groups.items():
        marks = {row["scheme"]: float(row["relative_variance"]) for row in rows
                 if row["scheme"] in (NOISE, CIRCULAR)}
        points = tuple(Point(row["scheme"], float(row["x_bytes"]) / float(row["kept_bytes"]),
                             int(row["kept_bytes"]), float(row["relative_variance"]),
                             float(row["standard_error"]), float(row["bias_ratio"]))
                       for row in rows if row["scheme"] not in marks)
        states.append(LayerState(network, layer, epochs, points, marks[NOISE], marks[CIRCULAR]))
    order = [layer[:2] for layer in LAYERS]
    return sorted(states, key=lambda s: (order.index((s.network, s.layer)), s.epochs))


@dataclasses.dataclass(frozen=True)
class Run:
    scheme: str
    batch: int
    epochs: int
    compression: float
    accuracy: float  # percent


def runs(results, cells=None):
    """Training runs by batch size and scheme, averaged over seeds."""
    groups = {}
    for row in results.rows("training", cells):
        groups.setdefault((int(row["batch"]), row["scheme"]), []).append(row)
    table = {}
    for (batch, scheme), rows in groups.items():
        table.setdefault(batch, {})[scheme] = Run(
            scheme, batch, int(rows[0]["epochs"]), float(rows[0]["compression"]),
            statistics.fmean(100 * float(row["test_accuracy"]) for row in rows))
    return dict(sorted(table.items()))


def smallest_loss(of_batch, compression):
    """The run that loses least against exact among those that compress so much."""
    return max((run for run in of_batch.values() if run.compression >= compression),
               key=lambda run: run.accuracy, default=None)


@dataclasses.dataclass(frozen=True)
class Promise:
    text: str
    measured: float
    bound: float
    at_least: bool  # or at most
    where: str

    @property
    def met(self):
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


def _gain_promise(states, text, low, high, bound):
    """Over all layers the smallest of the best gains."""
    best = [(state, point) for state in states if (point := state.best(low, high))]
    if not best:
        return []
    state, point = min(best, key=lambda pair: pair[0].gain(pair[1]))
    return [Promise(text, state.gain(point), bound, True,
                    f"{scheme_name(point.scheme)}; {state.title}")]


def _loss_promise(table, compression, bound):
    losses = [(of_batch["exact"].accuracy - run.accuracy, run)
              for of_batch in table.values() if "exact" in of_batch
              if (run := smallest_loss(of_batch, compression))]
    if not losses:
        return []
    loss, run = max(losses, key=lambda pair: pair[0])
    return [Promise(f"MNIST, best row of {compression}x or more: points below exact", loss, bound,
                    False, f"{scheme_name(run.scheme)}, B = {run.batch}")]


def _manuscript_promise(table, text, sign):
    differences = [(sign * (accuracy - table[batch][scheme].accuracy), scheme, batch)
                   for batch, row in MANUSCRIPT.items() for scheme, accuracy in row.items()
                   if scheme in table.get(batch, {})]
    if not differences:
        return []
    difference, scheme, batch = max(differences)
    # Both numbers have two decimals: 98.62 - 98.12 is 0.5, not a little more.
    return [Promise(text, round(difference, 3), 0.5, False, f"{scheme_name(scheme)}, B = {batch}")]


def promises(results, cells=None):
    states, table = layer_states(results, cells), runs(results, cells)
    found = _gain_promise(states, "about 100x: times less variance than dense", 80, 125, 8)
    found += _gain_promise(states, "about 25x: times less variance than dense", 20, 31, 25)
    found += _loss_promise(table, 15, 0.3) + _loss_promise(table, 100, 0.7)
    for text, sign in (("below", 1), ("above", -1)):
        found += _manuscript_promise(table, f"MNIST, the paper's rows: points {text} the "
                                     "manuscript", sign)
    return found


def scheme_name(text):
    """'independent:8+mean+2bits' for people."""
    words = []
    for word in text.split("+"):
        if word.startswith("group:"):
            word = f"groups of {word[6:]}"
        words.append(re.sub(r"(\d)bit", r"\1 bit", word).replace(":", " r="))
    return ", ".join(word for word in words if word != "identity")
