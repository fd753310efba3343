"""What an export of a run says of its child, for those that convert it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from bignas_tf import errors, files
from bignas_tf.api import task_images
from bignas_tf.exports import sliced_graph, trainable, versions
from bignas_tf.exports.sliced_graph import AnyChild
from bignas_tf.plain import Value
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig

TRAIN_DATA = "train_data"  # of a card: the fields of the run's images that an export changed


@dataclasses.dataclass(frozen=True)
class ExportedChild:
    """An export of a run.

    Attributes:
      task: of the run, with the images that the export was calibrated and is reported on, or was
        fine-tuned for.
      labels: of the classes, in their order.
      licence: of the model; "" if unknown.
      child: as it was exported, its statistics included, before its batch norms were folded.
      params: how many it has.
    """

    task: BigNASConfig
    labels: Sequence[str]
    licence: str
    child: AnyChild
    params: int


def read(folder: pathlib.Path, run: Run) -> ExportedChild:
    """Reads a version's folder.

    Args:
      folder: of the version.
      run: that it must be of.

    Raises:
      UsageError: it is of another run or of a cascade, was exported before exports had weights or
        named the images of a fine-tuning, a file of it is damaged, or its images are gone.
    """
    path = versions.child_file(folder, "export the search's children one by one, and convert those")
    with files.reading(path, "tools.export") as card:
        source = {name: card["source"][name].text() for name in ("index_sha256", "checkpoint")}
        split, params = card["accuracy"]["split"].text(), card["params"].count()
        calibration = _calibration_split(card)
        licence = card.added("licence", Value.text, "")
        changes: dict[str, object] = card.added(TRAIN_DATA, Value.settings, {})
    if source["index_sha256"] != run.index_sha256:
        raise errors.UsageError(
            f"{folder} was exported from {source['checkpoint']}; {run.model_dir} now holds another "
            "checkpoint; export again"
        )
    labels = versions.labels(folder)
    task = task_images.with_images(run, changes, path, "export again")
    task.selection.reporting_split = split
    task.selection.calibration_split = calibration or task.selection.calibration_split
    if not sliced_graph.is_of_papers_family(run.supernet):
        return ExportedChild(task, labels, licence, sliced_graph.read(folder), params)
    # Fine-tuned children have other classes than the run.
    child = trainable.read(folder).model(task.train_data.num_classes)
    return ExportedChild(task, labels, licence, child, params)


def _calibration_split(card: Value) -> str:
    """The images that int8 takes its ranges from; "" where a card does not say."""
    if "finetuned" not in card.fields():
        return card["calibration"]["split"].text() if "calibration" in card.fields() else ""
    finetuned = card["finetuned"]
    if "calibration_split" not in finetuned.fields():
        raise errors.UsageError(
            "the child was fine-tuned before exports named their images; fine-tune it again"
        )
    return finetuned["calibration_split"].text()
