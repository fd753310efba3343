"""The images of a run's data set as they were when it was last started, kept in its folder."""

from __future__ import annotations

import os

from bignas_tf import files
from bignas_tf.data import identity
from bignas_tf.data.config import DataConfig
from bignas_tf.data.identity import BySplit, SplitImages

FILE = "images.json"


def save(model_dir: str, data: DataConfig) -> None:
    """Writes what every split of the data set has now into the folder of a run."""
    plain = {split: each.to_json() for split, each in identity.read(data).items()}
    files.write_json(os.path.join(model_dir, FILE), {"splits": plain})


def forget(model_dir: str) -> None:
    """Removes what was kept, so that a new run does not begin with another's."""
    files.remove(os.path.join(model_dir, FILE))


def read(model_dir: str) -> BySplit | None:
    """What every split had; None of a run that has no such record, such as an imported one.

    Raises:
      UsageError: its file is damaged.
    """
    path = os.path.join(model_dir, FILE)
    if not files.is_file(path):
        return None
    with files.reading(path, "tools.train") as content:
        return {
            split: SplitImages.from_json(each) for split, each in content["splits"].fields().items()
        }
