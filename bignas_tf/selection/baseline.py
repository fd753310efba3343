"""What one network alone has reached, to compare a supernet with, and its file in the run."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from bignas_tf import errors, files
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture

FILE = "plain_keras.json"


@dataclasses.dataclass(frozen=True)
class Baseline:
    """An architecture of a run's space, trained alone on the run's images.

    Attributes:
      architecture: its choices.
      macs: multiply-adds for one image.
      params: parameters.
      steps: of Keras' `fit`.
      minutes: how long it was given.
      split: the images that it was scored on.
      accuracy: on them.
    """

    architecture: Architecture
    macs: int
    params: int
    steps: int
    minutes: float
    split: str
    accuracy: Accuracy

    def to_json(self) -> dict[str, Any]:
        """Returns the content of its file, which `read` reads back."""
        return {
            "architecture": self.architecture.to_json(),
            "macs": self.macs,
            "params": self.params,
            "steps": self.steps,
            "minutes": self.minutes,
            "split": self.split,
            **self.accuracy.to_json(),
            "error": self.accuracy.error,
        }


def read(model_dir: str | os.PathLike[str]) -> Baseline | None:
    """Reads the baseline of a run; None if there is none.

    Args:
      model_dir: folder of the run, which may be remote.

    Raises:
      UsageError: the file is damaged.
    """
    path = os.path.join(errors.require_path("model_dir", model_dir), FILE)
    if not files.is_file(path):
        return None
    with files.reading(path, "tools.plain_keras") as noted:
        return Baseline(
            architecture=noted["architecture"].parsed(Architecture.from_json),
            macs=noted["macs"].count(1),
            params=noted["params"].count(1),
            steps=noted["steps"].count(1),
            minutes=noted["minutes"].number(0),
            split=noted["split"].text(),
            accuracy=noted.parsed(Accuracy.from_json),
        )
