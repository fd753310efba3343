"""The exported children of a run."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import files

from . import checks


@dataclasses.dataclass(frozen=True)
class Export:
    """A version of an exported child.

    Attributes:
      name: its folder, below the run's.
      top1: fraction right of `images`; None where the card does not say.
      images: how many it was scored on.
      labels: names of the classes.
      formats: by name, what tools.convert measured; empty where it did not run.
    """

    name: str
    top1: float | None
    images: int
    labels: Sequence[str]
    formats: Mapping[str, Any]


def below(folder: pathlib.Path) -> Iterator[Export]:
    """The exports below a run's folder.

    Raises:
      UsageError: a file of one is damaged.
    """
    for path in sorted(folder.glob("**/child.json")):
        card = files.read_json(path)
        with checks.written_by("tools.export", path):
            accuracy = card.get("accuracy", {"top1": None, "images": 0})
            top1, images = accuracy["top1"], checks.number(accuracy["images"])
            yield Export(
                name=str(path.parent.relative_to(folder)),
                top1=None if top1 is None else checks.number(top1),
                images=int(images),
                labels=_labels(path.with_name("labels.json")),
                formats=_formats(path.parent / "converted" / "report.json"),
            )


def _labels(path: pathlib.Path) -> Sequence[str]:
    names = files.read_json(path) if path.is_file() else []
    with checks.written_by("tools.export", path):
        return [str(name) for name in names]


def _formats(path: pathlib.Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    report = files.read_json(path)
    with checks.written_by("tools.convert", path):
        for row in report["formats"].values():
            figures = (row[name] for name in ("top1", "top1_standard_error", "agreement"))
            for value in (*figures, *row["milliseconds"].values(), row.get("bytes", 0)):
                checks.number(value)
        return report["formats"]
