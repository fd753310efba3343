"""One child of a search space, as plain data."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from bignas_tf import errors, files

LayerChoices = tuple[tuple[int, ...], ...]
# The fields with a value for each layer, in the order of their genes.
PER_LAYER = ("kernels", "widths", "expands")


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
        if not isinstance(value, dict) or sorted(value) != sorted(names):
            given = sorted(value) if isinstance(value, dict) else type(value).__name__
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
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, value, "an integer")
    return value


def _wrong(name: str, value: object, expected: str) -> errors.UsageError:
    return errors.UsageError(
        f"architecture field {name!r}: {errors.shown(value)} is not {expected}"
    )
