"""What evaluation during training leaves: `learning_curves.json` as types; no TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from bignas_tf import files
from bignas_tf.plain import Value

FILE = "learning_curves.json"


class Scores(NamedTuple):
    """Top-1 accuracies of children by their names, after a step."""

    step: int
    top1: dict[str, float]


def read(path: str | os.PathLike[str]) -> list[Scores]:
    """Reads what `write` wrote; empty if there is no such file, as before an evaluation.

    Raises:
      UsageError: the file is damaged.
    """
    if not files.is_file(path):
        return []
    with files.reading(path, "tools.train") as rows:
        return [_scores(row) for row in rows.elements()]


def _scores(row: Value) -> Scores:
    top1 = {name: value.fraction() for name, value in row["top1"].fields().items()}
    return Scores(row["step"].count(), top1)


def write(path: str | os.PathLike[str], rows: Iterable[Scores]) -> None:
    """Writes the file: a list of {"step": 1000, "top1": {"smallest": 0.61, …}}."""
    files.write_json(path, [row._asdict() for row in rows])
