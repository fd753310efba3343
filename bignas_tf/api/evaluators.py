"""The evaluator of a run, kept between calls: a notebook asks for one child after another."""

from __future__ import annotations

from typing import Any

from bignas_tf.selection import config, runner
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig

# Of the latest run alone. TensorFlow takes seconds to trace the two graphs, and frees neither.
_latest: tuple[Run, dict[str, Any], Evaluator] | None = None


def evaluator_of(run: Run, task: BigNASConfig | None = None) -> Evaluator:
    """Returns the evaluator that calibrates and scores children of a run as its search does.

    It is the same as before if the run, its images and its calibration are.

    Args:
      run: whose supernet it is.
      task: other images or another calibration than the run's.

    Raises:
      UsageError: the images do not fit the supernet, or there are too few.
    """
    global _latest
    task = run.config.task if task is None else task
    calibration = {name: getattr(task.selection, name) for name in config.CALIBRATION}
    settings = {"data": task.train_data.as_dict(), "calibration": calibration}
    if _latest is None or _latest[0] is not run or _latest[1] != settings:
        built = runner.build_evaluator(run.supernet, task.train_data, task.selection)
        _latest = run, settings, built
    return _latest[2]
