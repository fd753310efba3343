"""What the baseline of a run has reached: one network alone, trained by Keras' `fit`."""

from __future__ import annotations

import dataclasses
import os

from bignas_tf import files, run_folder
from bignas_tf.accuracy import Accuracy


@dataclasses.dataclass(frozen=True)
class PlainModel:
    """A network trained alone on the run's images.

    Attributes:
      macs: multiply-adds for one image.
      params: parameters.
      steps: of `fit`.
      minutes: how long it was given.
      split: the images that it was scored on.
      accuracy: on them.
    """

    macs: int
    params: int
    steps: int
    minutes: float
    split: str
    accuracy: Accuracy


def read(folder: str) -> PlainModel | None:
    """Reads the baseline of a run; None if there is none.

    Raises:
      UsageError: the file is damaged.
    """
    path = os.path.join(folder, run_folder.PLAIN_FILE)
    if not files.is_file(path):
        return None
    with files.reading(path, "tools.plain_keras") as noted:
        return PlainModel(
            macs=noted["macs"].count(1),
            params=noted["params"].count(1),
            steps=noted["steps"].count(1),
            minutes=noted["minutes"].number(0),
            split=noted["split"].text(),
            accuracy=Accuracy.from_json(noted),
        )
