"""What the study measures: a list of cells, each one call of accuracy_study."""

import dataclasses
import hashlib
import itertools

FASHION, MNIST = "fashion-mnist", "mnist"

#: The columns of the manuscript's table that are repeated, with the epochs of each:
#: a larger batch takes fewer steps in an epoch, and needs more epochs.
EPOCHS = {64: 5, 256: 12, 1024: 20}
PAPER = ("dense:2", "dense:8", "dense:32", "dense:64")
NEW = ("identity+2bits", "independent:8+mean+2bits")
#: Measured for one batch size only.
MORE = {256: ("identity+1bit", "dense:512+4bits", "independent:16+mean+2bits")}
#: The manuscript holds a tenth of the training images back.
TRAINING_IMAGES = 54000


@dataclasses.dataclass(frozen=True)
class Cell:
    part: str
    data: str  # the data set it needs
    arguments: tuple
    seconds: float  # on one core, about: for the estimate of the time left

    @property
    def name(self):
        """Says what it is and, with all of its settings in the hash, which one."""
        words = [f"{key[2:]}={value}" for key, value in
                 zip(self.arguments[::2], self.arguments[1::2]) if "," not in value]
        digest = hashlib.sha256(" ".join((self.data, *self.arguments)).encode()).hexdigest()
        return f"{' '.join(words)} #{digest[:8]}"


def _cell(part, data, seconds, **options):
    arguments = []
    for key, value in options.items():
        text = ",".join(value) if isinstance(value, (tuple, list)) else str(value)
        arguments += ["--" + key.replace("_", "-"), text]
    return Cell(part, data, tuple(arguments), seconds)


def _in_bits(bits):
    return {0: "", 1: "+1bit"}.get(bits, f"+{bits}bits")


def _composed(projection, probes, bits):
    for r, mean, b in itertools.product(probes, ("", "+mean"), bits):
        yield f"{projection}:{r}{mean}{_in_bits(b)}"


def _all_schemes(probes, probes_per_channel, bits):
    schemes = [f"identity{_in_bits(b)}" for b in (8, 4, 2, 1)] + ["identity+1bit+group:128"]
    for projection in ("dense", "orthogonal"):
        schemes += _composed(projection, probes, bits)
    schemes += _composed("independent", probes_per_channel, bits)
    for distribution in ("gaussian", "uniform"):
        schemes += [f"dense:64+{distribution}", f"orthogonal:64+{distribution}",
                    f"independent:16+{distribution}"]
    return schemes


def _variance():
    every = _all_schemes((16, 32, 64, 128, 256, 512, 1024), (2, 4, 8, 16, 32, 64), (0, 4, 2, 1))
    # Four times the work on images of twice the width: fewer of each kind.
    wide = _all_schemes((64, 256), (8, 32), (0, 4, 2))
    wide += ("dense:16", "dense:512", "dense:512+4bits", "dense:1024", "dense:1024+4bits",
             "dense:1024+mean+4bits", "independent:4+mean+2bits", "independent:16+mean+2bits",
             "independent:64+mean+2bits", "independent:128+mean+2bits",
             "independent:64+mean+4bits")
    for network, epochs in itertools.product(("demo", "wide"), (0, 3)):
        schemes, seconds = (wide, 120) if network == "wide" else (every, 100)
        seconds += epochs * (40 if network == "wide" else 10)
        # After training mini-batches differ much more than draws.
        yield _cell("variance", FASHION, seconds, network=network, epochs=epochs, schemes=schemes,
                    batch=128, batches=8, draws=4)


def _entries():
    schemes = tuple(f"dense:{r}" for r in (4, 8, 16, 32))
    for source, batch in itertools.product(("normal", "images"), (1, 8, 32)):
        yield _cell("entries", FASHION, 2, input=source, batch=batch, schemes=schemes, draws=100)


def _spread():
    schemes = ("exact", "dense:8", "dense:64", "dense:512", "dense:512+4bits",
               "independent:16+mean+2bits", "identity+2bits")
    for batch in (32, 128, 512):
        yield _cell("spread", FASHION, 25, network="demo", epochs=1, batch=batch, batches=40,
                    schemes=schemes)


def _image_size():
    schemes = ("dense:16", "dense:128", "independent:16+mean+2bits", "identity+1bit",
               "identity+2bits")
    for network, sizes in (("squeezenet", (64, 128, 256, 512)), ("unet", (32, 64, 128, 256))):
        for size in sizes:
            yield _cell("image-size", FASHION, 1 + (size / 64) ** 2, network=network, size=size,
                        batch=4, draws=10, schemes=schemes)


def _training():
    for batch, epochs in EPOCHS.items():
        for scheme in ("exact", *PAPER, *NEW, *MORE.get(batch, ())):
            yield _cell("training", MNIST, epochs * (19 if "512" in scheme else 10),
                        schemes=scheme, batch=batch, epochs=epochs, seed=1,
                        train_limit=TRAINING_IMAGES)


def full():
    return [*_training(), *_variance(), *_spread(), *_image_size(), *_entries()]


def quick():
    """The same parts in a few minutes: fewer schemes, draws and images."""
    schemes = _all_schemes((64, 512), (8, 16), (0, 4, 2, 1))
    cells = [_cell("variance", FASHION, 15, network="demo", epochs=epochs, schemes=schemes,
                   batch=128, batches=2, draws=4) for epochs in (0, 1)]
    rows = ("exact", "dense:8", "dense:64", "identity+2bits", "independent:8+mean+2bits")
    cells += [_cell("training", MNIST, 20, schemes=row, batch=256, epochs=3, seed=1)
              for row in rows]
    cells += [_cell("spread", FASHION, 15, network="demo", epochs=1, batch=batch, batches=20,
                    schemes=("exact", "dense:64", "identity+2bits")) for batch in (32, 128)]
    cells += [cell for cell in _image_size() if cell.seconds < 10]
    return cells + list(_entries())


def smoke():
    """Seconds: enough to see that the numbers make sense."""
    schemes = ("identity+2bits", "identity+1bit", "dense:64", "dense:64+gaussian", "dense:256",
               "dense:256+mean", "independent:32+mean+2bits", "orthogonal:64")
    limits = {"train_limit": 9000, "test_limit": 500}
    return [_cell("variance", FASHION, 5, network="demo", epochs=0, schemes=schemes, batch=128,
                  batches=2, draws=8, **limits),
            _cell("spread", FASHION, 1, network="demo", epochs=0, batch=32, batches=20,
                  schemes=("exact", "dense:64", "dense:512"), **limits),
            *(_cell("image-size", FASHION, 1, network=network, size=64, batch=2, draws=4,
                    schemes=("dense:16", "dense:128"), **limits)
              for network in ("squeezenet", "unet")),
            *(_cell("entries", FASHION, 1, input=source, batch=8, draws=100,
                    schemes=("dense:8", "dense:32"), **limits) for source in ("images", "normal")),
            *(_cell("training", FASHION, 1, schemes=scheme, batch=64, epochs=1, seed=1,
                    train_limit=4096, test_limit=500)
              for scheme in ("exact", "identity+2bits", "dense:64"))]


LISTS = {"full": full, "quick": quick, "smoke": smoke}
