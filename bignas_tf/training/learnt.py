"""The images of a run's data set as they were when it was last started, kept in its folder."""

from __future__ import annotations

import os

from bignas_tf import errors, files
from bignas_tf.data.identity import BySplit, SplitImages
from bignas_tf.plain import Value

FILE = "images.json"


def save(model_dir: str, images: BySplit) -> None:
    """Writes what every split has into the folder of a run."""
    plain = {split: each.to_json() for split, each in images.items()}
    files.write_json(os.path.join(model_dir, FILE), plain)


def forget(model_dir: str) -> None:
    """Removes what was kept of the images of an earlier start."""
    files.remove(os.path.join(model_dir, FILE))


def read(model_dir: str) -> BySplit | None:
    """What every split had; None of a run that did not keep it, such as an imported one.

    Raises:
      UsageError: its file is damaged.
    """
    path = os.path.join(model_dir, FILE)
    if not files.is_file(path):
        return None
    plain = Value.of(files.read_json(path))
    try:
        return {split: SplitImages.from_json(each) for split, each in plain.fields().items()}
    except errors.UsageError as error:
        raise errors.UsageError(f"{path} is damaged: {error}") from error
