"""Reads files of cases; the grammar is in README.md, the C++ twin in case.cpp."""

import dataclasses
import itertools
import math
import pathlib

PROJECTIONS = ("identity", "dense", "orthogonal", "independent")
DISTRIBUTIONS = ("rademacher", "gaussian", "uniform")
ORDERS = ("auto", "dy_first", "x_first")
FOLDER = pathlib.Path(__file__).resolve().parent / "cases"


@dataclasses.dataclass
class Case:
    suite: str
    batch: int
    in_channels: int
    out_channels: int
    size: tuple
    kernel: tuple
    pad: tuple
    stride: tuple
    dilation: tuple
    groups: int
    probes: int
    projection: str = "identity"
    distribution: str = "rademacher"
    order: str = "auto"
    mean: bool = False
    bits: int = 0
    group: int = 0
    rows: tuple = ("exact", "step")
    floor: float = None

    def wants(self, group):
        return group in self.rows or "all" in self.rows

    @property
    def geometry(self):
        """Name of all that the exact gradient depends on, with the suite."""
        name = f"b{self.batch}_c{self.in_channels}"
        if self.out_channels != self.in_channels:
            name += f"-{self.out_channels}"
        name += "_n" + "x".join(map(str, self.size)) + _axes_name("k", self.kernel)
        for key, axes, usual in (("p", self.pad, 0), ("s", self.stride, 1), ("d", self.dilation, 1)):
            if any(a != usual for a in axes):
                name += _axes_name(key, axes)
        if self.groups != 1:
            name += f"_g{self.groups}"
        return f"{self.suite}/{name}"

    @property
    def scheme(self):
        name = self.projection
        if self.projection != "identity":
            name += f"_{self.distribution}_r{self.probes}"
        name += "_mean" if self.mean else ""
        name += f"_bits{self.bits}" if self.bits else ""
        name += f"_group{self.group}" if self.group else ""
        return name if self.order == "auto" else f"{name}_{self.order}"

    @property
    def title(self):
        channels = str(self.in_channels)
        if self.out_channels != self.in_channels:
            channels += f"→{self.out_channels}"
        return f"{self.batch}, {channels}, {'x'.join(map(str, self.size))}"

    @property
    def kernel_title(self):
        text = "x".join(map(str, self.kernel))
        return text if all(s == 1 for s in self.stride) else f"{text}, stride {self.stride[0]}"

    @property
    def x_count(self):
        return self.batch * self.in_channels * math.prod(self.size)

    @property
    def w_count(self):
        return self.out_channels * self.in_channels // self.groups * math.prod(self.kernel)

    def row(self, name):
        """Full name of a row of this case; `*` stands for the scheme."""
        return f"{self.geometry}/{name.replace('*', 'xconv/' + self.scheme)}"


def _axes_name(key, axes):
    same = all(a == axes[0] for a in axes)
    return f"_{key}" + "x".join(map(str, axes[:1] if same else axes))


def _alternatives(token):
    if "=" in token:
        return [token]
    first, *others = token.split(",")
    key = first.rstrip("x-0123456789")
    return [first] + [key + o if o[:1].isdigit() else o for o in others]


def _build(suite, tokens):
    values, words = {}, {}
    for token in tokens:
        key, _, text = token.partition("=")
        if key == "rows":
            words["rows"] = tuple(text.split(","))
        elif key == "floor":
            words["floor"] = float(text)
        elif token in PROJECTIONS:
            words["projection"] = token
        elif token in DISTRIBUTIONS:
            words["distribution"] = token
        elif token in ORDERS:
            words["order"] = token
        elif token == "mean":
            words["mean"] = True
        elif token.startswith(("bits", "group")):
            key = token.rstrip("0123456789")
            words[key] = int(token[len(key):])
        elif token[0] in "bcnkpsdgr" and token[1:2].isdigit():
            values[token[0]] = token[1:]
        else:
            raise ValueError(f"'{token}' is not known")
    size = tuple(map(int, values["n"].split("x")))

    def axes(key, usual):
        given = tuple(map(int, values.get(key, str(usual)).split("x")))
        return given * len(size) if len(given) == 1 else given

    channels = [int(c) for c in values["c"].split("-")]
    return Case(suite=suite, batch=int(values["b"]), in_channels=channels[0],
                out_channels=channels[-1], size=size, kernel=axes("k", 1), pad=axes("p", 0),
                stride=axes("s", 1), dilation=axes("d", 1), groups=int(values.get("g", 1)),
                probes=int(values.get("r", 0)), **words)


def read(path):
    """(cases, requirements) of one file."""
    path = pathlib.Path(path)
    cases, requirements = [], {}
    for line in path.read_text().splitlines():
        tokens = line.partition("#")[0].split()
        if tokens[:1] == ["require"]:
            requirements.update((k, float(v)) for k, v in (t.split("=") for t in tokens[1:]))
        elif tokens:
            for combination in itertools.product(*map(_alternatives, tokens)):
                cases.append(_build(path.stem, combination))
    return cases, requirements
