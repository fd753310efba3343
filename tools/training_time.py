"""How long the supernet of a quickstart has trained, noted in its folder.

A run may be interrupted and resumed, and the plain model that it is compared with gets as long as
all its trainings took together.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
from collections.abc import Iterator

from bignas_tf import files, run_folder

FILE = "training_minutes.json"


def minutes_of(run_dir: str) -> float | None:
    """Returns the minutes of all trainings of a run; None if they are not known.

    They are not if another command began the run, or if a training was killed with this one.

    Raises:
      UsageError: the file is damaged.
    """
    path = os.path.join(run_dir, FILE)
    if not os.path.exists(path):
        return None if _checkpoints(run_dir) else 0.0
    with files.reading(path, "tools.quickstart") as noted:
        return noted["minutes"].optional(lambda minutes: minutes.number(0))


@contextlib.contextmanager
def noted(run_dir: str) -> Iterator[None]:
    """Context in which a run is trained; adds its minutes, also if the training fails.

    A run that was complete already only starts the tool, which does not count. While it trains,
    a file that is there says that the minutes are not known: a kill leaves it so.

    Raises:
      UsageError: the file is damaged or cannot be written.
    """
    minutes, before, began = minutes_of(run_dir), _checkpoints(run_dir), time.monotonic()
    if minutes is None:
        yield
        return
    path = os.path.join(run_dir, FILE)
    if os.path.exists(path):
        files.write_json(path, {"minutes": None})
    try:
        yield
    finally:
        trained = _checkpoints(run_dir) != before
        if trained:
            minutes += (time.monotonic() - began) / 60
        if trained or os.path.exists(path):
            files.write_json(path, {"minutes": minutes})


def _checkpoints(run_dir: str) -> str:
    """TensorFlow's list of the run's checkpoints; "" if there is none."""
    listed = pathlib.Path(run_dir, run_folder.CHECKPOINTS_FILE)
    return listed.read_text(encoding="utf-8", errors="replace") if listed.is_file() else ""
