"""The exported children of a run."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import files
from bignas_tf.accuracy import Accuracy
from bignas_tf.exports import publishing, runtimes, versions

Listed = Sequence[tuple[str, int]]  # what `files.below` gives


@dataclasses.dataclass(frozen=True)
class Export:
    """A version of an exported child.

    Attributes:
      name: its folder, below the run's.
      accuracy: of the child; None where the card does not say.
      labels: names of the classes.
      formats: by name, what tools.convert measured; empty where it did not run.
    """

    name: str
    accuracy: Accuracy | None
    labels: Sequence[str]
    formats: Mapping[str, Any]


def finish_below(folder: str) -> None:
    """Finishes what a kill has left of exports below a run's folder, which may be remote."""
    if not files.is_remote(folder):
        publishing.finish_below(pathlib.Path(folder))


def below(folder: str, listed: Listed) -> Iterator[Export]:
    """The exports below a run's folder.

    Args:
      folder: of the run.
      listed: its files, from `files.below`.

    Raises:
      UsageError: a file of one is damaged.
    """
    # Hidden ones are left out: they are not verified yet.
    for name in (path for path, _ in listed if path.endswith(f"/{versions.CHILD_FILE}")):
        path = os.path.join(folder, name)
        version = os.path.dirname(path)
        with files.reading(path, "tools.export") as card:
            fields = card.fields()
            accuracy = Accuracy.from_json(fields["accuracy"]) if "accuracy" in fields else None
        yield Export(
            name=os.path.dirname(name),
            accuracy=accuracy,
            labels=_labels(os.path.join(version, versions.LABELS_FILE)),
            formats=_formats(os.path.join(version, runtimes.CONVERTED_DIR, runtimes.REPORT_FILE)),
        )


def _labels(path: str) -> Sequence[str]:
    if not files.is_file(path):
        return []
    with files.reading(path, "tools.export") as names:
        return names.texts()


def _formats(path: str) -> Mapping[str, Any]:
    if not files.is_file(path):
        return {}
    with files.reading(path, "tools.convert") as report:
        rows = report["formats"].fields()
        for row in rows.values():
            for name in ("top1", "top1_standard_error", "agreement"):
                row[name].fraction()
            for value in row["milliseconds"].fields().values():
                value.number(0)
            if "bytes" in row.fields():
                row["bytes"].count()
        return {name: row.content for name, row in rows.items()}
