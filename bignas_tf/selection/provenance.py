"""Which weights and images the figures of a result come from."""

from __future__ import annotations

import dataclasses
from typing import Any

from bignas_tf.plain import Value


@dataclasses.dataclass(frozen=True)
class Source:
    """The weights that children were sliced from.

    Attributes:
      search_space: its name.
      checkpoint: path, which later training may overwrite.
      index_sha256: hash of the checkpoint's index, which tells weights apart.
      step: of training.
    """

    search_space: str
    checkpoint: str
    index_sha256: str
    step: int

    def to_json(self) -> dict[str, Any]:
        """Plain form, that of `checkpoints.Run.source`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Source:
        """Reads `to_json`'s form.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        return cls(
            search_space=value["search_space"].text(),
            checkpoint=value["checkpoint"].text(),
            index_sha256=value["index_sha256"].text(),
            step=value["step"].count(),
        )


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """The images of a split.

    Attributes:
      split: in TFDS' notation, such as "train[90%:]".
      images: how many there are, at least 1.
      majority: the fraction that is of the most frequent class; None if it was not counted.
    """

    split: str
    images: int
    majority: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain form without what is unknown; `from_json` reads it back."""
        return {name: v for name, v in dataclasses.asdict(self).items() if v is not None}

    @classmethod
    def from_json(cls, value: object) -> ImageSet:
        """Reads `to_json`'s form, which may have further fields.

        Raises:
          UsageError: it is something else, or there are no images.
        """
        value = Value.of(value)
        majority = value.added("majority", Value.fraction, None)
        return cls(value["split"].text(), value["images"].count(1), majority)
