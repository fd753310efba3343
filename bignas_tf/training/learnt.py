"""The images of a run's data set as they were when it was last started, kept in its folder."""

from __future__ import annotations

import os
from typing import Any

from bignas_tf import files
from bignas_tf.data import config as config_lib
from bignas_tf.data import identity
from bignas_tf.data.config import DataConfig
from bignas_tf.data.identity import BySplit, SplitImages

FILE = "images.json"


def save(model_dir: str, data: DataConfig) -> None:
    """Writes what every split of the data set has now into the folder of a run."""
    plain = {split: each.to_json() for split, each in identity.read(data).items()}
    files.write_json(os.path.join(model_dir, FILE), {"data": _data_set(data), "splits": plain})


def forget(model_dir: str) -> None:
    """Removes what was kept of the images of an earlier start."""
    files.remove(os.path.join(model_dir, FILE))


def read(model_dir: str, data: DataConfig) -> BySplit | None:
    """What every split had; None of a run that did not keep it, such as an imported one.

    Args:
      model_dir: folder of the run.
      data: of its configuration. If that was edited since to name another data set, nothing is
        known.

    Raises:
      UsageError: its file is damaged.
    """
    path = os.path.join(model_dir, FILE)
    if not files.is_file(path):
        return None
    with files.reading(path, "tools.train") as content:
        known = content["data"].content
        splits = {
            split: SplitImages.from_json(each) for split, each in content["splits"].fields().items()
        }
    return splits if known == _data_set(data) else None


def _data_set(data: DataConfig) -> dict[str, Any]:
    """How a configuration names its data set, as JSON has it."""
    name = config_lib.images_name(data)
    return {"source": data.source, "name": name if isinstance(name, str) else list(name)}
