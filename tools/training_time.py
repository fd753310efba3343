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

from bignas_tf import files

FILE = "training_minutes.json"


def minutes_of(run_dir: str) -> float | None:
    """Returns the minutes of all trainings of a run; None if they are not known.

    They are not if another command began the run, or if a training was killed with this one.
    """
    path = os.path.join(run_dir, FILE)
    if os.path.exists(path):
        return float(files.read_json(path)["minutes"])
    return None if _checkpoints(run_dir) else 0.0


@contextlib.contextmanager
def noted(run_dir: str) -> Iterator[None]:
    """Context in which a run is trained; adds its minutes, also if the training fails.

    A run that was complete already only starts the tool, which does not count.
    """
    minutes, before, began = minutes_of(run_dir), _checkpoints(run_dir), time.monotonic()
    try:
        yield
    finally:
        if minutes is not None and _checkpoints(run_dir) != before:
            minutes += (time.monotonic() - began) / 60
            files.write_json(os.path.join(run_dir, FILE), {"minutes": minutes})


def _checkpoints(run_dir: str) -> str:
    """TensorFlow's list of the run's checkpoints; "" if there is none."""
    listed = pathlib.Path(run_dir, "checkpoint")
    return listed.read_text(encoding="utf-8", errors="replace") if listed.is_file() else ""
