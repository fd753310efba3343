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
from bignas_tf.exports.proof import PROOF_FILE
from bignas_tf.plain import Value

Listed = Sequence[tuple[str, int]]  # what `files.below` gives


@dataclasses.dataclass(frozen=True)
class Export:
    """A version of an exported child.

    Attributes:
      name: its folder, below the run's.
      accuracy: of the child; None where the card does not say.
      labels: names of the classes.
      formats: by name, what tools.convert measured; empty where it did not run.
      foreign: whether what it measured was made from another export.
    """

    name: str
    accuracy: Accuracy | None
    labels: Sequence[str]
    formats: Mapping[str, Any]
    foreign: bool


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
    for name in graphs(listed, versions.CHILD_FILE):
        path = os.path.join(folder, name)
        version = os.path.dirname(path)
        with files.reading(path, "tools.export") as card:
            accuracy = card.added("accuracy", lambda form: Accuracy.from_json(form.content), None)
        formats, made_of = _converted(version)
        proof = pathlib.Path(version, PROOF_FILE)  # no local file of an export in a bucket
        foreign = bool(made_of) and proof.is_file() and files.sha256(proof) != made_of
        yield Export(
            name=os.path.dirname(name),
            accuracy=accuracy,
            labels=_labels(os.path.join(version, versions.LABELS_FILE)),
            formats={} if foreign else formats,
            foreign=foreign,
        )


def graphs(listed: Listed, card: str) -> Iterator[str]:
    """The cards of versions, which have a graph beside them.

    Hidden ones are left out: they are not verified yet. So are other files of the same name, such
    as that of an architecture.
    """
    there = dict(listed)
    for path in there:
        if path.endswith(f"/{card}") and f"{os.path.dirname(path)}/{versions.GRAPH_FILE}" in there:
            yield path


def _labels(path: str) -> Sequence[str]:
    if not files.is_file(path):
        return []
    with files.reading(path, "tools.export") as names:
        return names.texts()


def _converted(version: str) -> tuple[Mapping[str, Any], str]:
    """What tools.convert measured, by format, and the hash of the proof of what it converted."""
    path = os.path.join(version, runtimes.CONVERTED_DIR, runtimes.REPORT_FILE)
    if not files.is_file(path):
        return {}, ""
    with files.reading(path, "tools.convert") as report:
        rows = report["formats"].fields()
        for row in rows.values():
            for name in ("top1", "top1_standard_error", "agreement"):
                row[name].fraction()
            for value in row["milliseconds"].fields().values():
                value.number(0)
            if "bytes" in row.fields():
                row["bytes"].count()
        made_of = report.added("proof_sha256", Value.text, "")
        return {name: row.content for name, row in rows.items()}, made_of
