"""What the layers of a stage may be, and one child's choices, as plain data."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from bignas_tf import errors, files, plain

LayerChoices = tuple[tuple[int, ...], ...]
# The fields with a value for each layer, in the order of their genes.
PER_LAYER = ("kernels", "widths", "expands")
GENES_PER_LAYER = len(PER_LAYER)
KERNEL, WIDTH, EXPAND = map(PER_LAYER.index, ("kernels", "widths", "expands"))
MOST_CHANNELS = 1 << 14


def up_to(most: int) -> dict[str, int]:
    """The metadata of a field of integers from 1 to `most`.

    What is allowed is far above what any network has; beyond it codes, tensors and counts would
    overflow.
    """
    return {"most": most}


@dataclasses.dataclass(frozen=True)
class Stage:
    """A run of inverted residual blocks at one resolution (paper, Table 1).

    Attributes:
      widths: choices of output channels, layer by layer.
      depths: choices of the number of layers.
      kernels: choices of depthwise kernel side (odd), layer by layer.
      expands: choices of expansion ratio, layer by layer: how many times as many channels as
        a block's input its depthwise convolution has. `(1,)` leaves the expanding convolution
        out.
      stride: of the first layer: 2 halves the side of the features, 1 keeps it.
      se_ratio: squeeze-and-excite units as a fraction of a block's input
        channels (of its expanded ones, if the space's style says so), one over an integer;
        0 leaves squeeze-and-excite out.
      activation: of its blocks; one of `style.ACTIVATIONS`.
      tied: whether all layers have one kernel, one width and one expansion, as in AttentiveNAS,
        instead of each its own.
    """

    widths: tuple[int, ...] = dataclasses.field(metadata=up_to(MOST_CHANNELS))
    depths: tuple[int, ...] = dataclasses.field(metadata=up_to(100))
    kernels: tuple[int, ...] = dataclasses.field(metadata=up_to(99))
    expands: tuple[int, ...] = dataclasses.field(default=(6,), metadata=up_to(64))
    stride: int = 1
    se_ratio: float = 0.25
    activation: str = "swish"
    tied: bool = False

    @property
    def max_depth(self) -> int:
        return max(self.depths)

    @property
    def coded_layers(self) -> int:
        """How many layers have genes of their own."""
        return 1 if self.tied else self.max_depth

    @property
    def code_length(self) -> int:
        return 1 + GENES_PER_LAYER * self.coded_layers

    def gene(self, layer: int) -> int:
        """Where the genes of a layer start, counted from that of the depth."""
        return 1 + GENES_PER_LAYER * min(layer, self.coded_layers - 1)

    @property
    def layer_choices(self) -> tuple[tuple[int, ...], ...]:
        """The choices of each gene of a layer."""
        return tuple(getattr(self, name) for name in PER_LAYER)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The choices that make one child.

    Attributes:
      resolution: side of the square input, in pixels.
      stem_width: output channels of the stem.
      depths: active layers of each stage.
      kernels: depthwise kernel side of each active layer, stage by stage.
      widths: output channels of each active layer, stage by stage.
      expands: expansion ratio of each active layer, stage by stage.
      head_width: channels before the classifier.
    """

    resolution: int
    stem_width: int
    depths: tuple[int, ...]
    kernels: LayerChoices
    widths: LayerChoices
    expands: LayerChoices
    head_width: int

    def to_json(self) -> dict[str, Any]:
        """Returns a JSON-ready dictionary that `from_json` reads back."""
        return {
            "resolution": self.resolution,
            "stem_width": self.stem_width,
            "depths": list(self.depths),
            **{name: [list(stage) for stage in getattr(self, name)] for name in PER_LAYER},
            "head_width": self.head_width,
        }

    @classmethod
    def from_json(cls, value: object) -> Architecture:
        """Reads `to_json`'s form.

        Raises:
          UsageError: a field is missing, unknown, or not made of integers.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(value, dict) or set(value) != set(names):
            given = sorted(map(str, value)) if isinstance(value, dict) else type(value).__name__
            raise errors.UsageError(
                f"an architecture has the fields {names}; got {errors.cut(str(given), 200)}"
            )
        return cls(**{name: _integers(name, value[name], _RANK.get(name, 0)) for name in names})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Architecture:
        """Reads a JSON file: an architecture, or an object with one as "architecture".

        Search and export write the second form.

        Raises:
          UsageError: the file cannot be read, or holds no architecture.
        """
        value = files.read_json(path)
        if isinstance(value, dict) and "architecture" in value:
            value = value["architecture"]
        try:
            return cls.from_json(value)
        except errors.UsageError as error:
            raise errors.UsageError(f"{os.fspath(path)}: {error}") from error


_RANK = {"depths": 1} | dict.fromkeys(PER_LAYER, 2)


def _integers(name: str, value: object, rank: int) -> Any:
    if rank:
        if not isinstance(value, list | tuple):
            raise _wrong(name, value, "a list")
        return tuple(_integers(name, item, rank - 1) for item in value)
    if not plain.is_whole(value):
        raise _wrong(name, value, "an integer")
    return value


def _wrong(name: str, value: object, expected: str) -> errors.UsageError:
    return errors.UsageError(
        f"architecture field {name!r}: {errors.shown(value)} is not {expected}"
    )
