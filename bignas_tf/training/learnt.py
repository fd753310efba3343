"""The images of a run's data set as they were when it was last started, kept in its folder.

Beside them is where the run was from whose weights it started, which has learnt from images, too.
"""

from __future__ import annotations

import os

from bignas_tf import files, run_folder
from bignas_tf.data import identity
from bignas_tf.data.config import DataConfig
from bignas_tf.data.identity import BySplit, SplitImages
from bignas_tf.plain import Value
from bignas_tf.training.configs import BigNASConfig

FILE = "images.json"
_PARENT = "init_checkpoint"


def save(model_dir: str, data: DataConfig, parent: str = "") -> None:
    """Writes what every split of the data set has now into the folder of a run.

    Args:
      model_dir: the folder.
      data: names the data set.
      parent: folder of the run that this one started from; "" if there is none.
    """
    plain = {split: each.to_json() for split, each in identity.read(data).items()}
    place = identity.place(parent) if parent else ""
    files.write_json(os.path.join(model_dir, FILE), {"splits": plain, _PARENT: place})


def parent(model_dir: str, task: BigNASConfig) -> str:
    """The run that a run started from, by the path that was kept or the one of its configuration.

    A relative path may lead nowhere from this folder, or to another run. An absolute one is right
    as long as a run is there.

    Args:
      model_dir: folder of the run, which may not exist yet.
      task: of the run.
    """
    given = task.init_checkpoint or ""
    kept = _kept(os.path.join(model_dir, FILE)) if given else ""
    paths = [given, kept] if files.is_remote(given) or os.path.isabs(given) else [kept, given]
    there = (path for path in paths if path and run_folder.is_run(path))
    return next(there, kept or given)


def _kept(path: str) -> str:
    """Where a run's file says that the other run is; "" if it does not."""
    if not files.is_file(path):
        return ""
    with files.reading(path, "tools.train") as content:
        return content.added(_PARENT, Value.text, "")


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
