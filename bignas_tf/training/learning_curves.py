"""The accuracy of named children during training."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import orbit
import tensorflow as tf

from bignas_tf import console, errors, workers
from bignas_tf.accuracy import percent
from bignas_tf.console import Show
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.training import curve_file
from bignas_tf.training.supernet_trainer import SupernetTrainer

# Given the supernet, returns a function that scores its named children, or says why it cannot.
Evaluation = Callable[[ElasticModel], Callable[[], Mapping[str, float | errors.RunError]]]


class LearningCurves:
    """Evaluates children every `trainer.validation_interval` steps and after the last step.

    Each evaluation is a line of progress, TensorBoard summaries, and a row of
    `learning_curves.json`. All workers evaluate, and the chief writes. A child that cannot be
    scored is left out with a warning: to watch it must not end the training.

    Args:
      trainer: trains the supernet.
      evaluation: of the children, top-1 accuracy by name, or the error of a child.
      model_dir: folder of the run; may be remote.
      show: takes the lines.

    Raises:
      UsageError: the folder's `learning_curves.json` is damaged.
    """

    def __init__(
        self, trainer: SupernetTrainer, evaluation: Evaluation, model_dir: str, show: Show
    ) -> None:
        self._trainer = trainer
        self._evaluate = evaluation(trainer.evaluated)
        self._path = os.path.join(model_dir, curve_file.FILE)
        self._rows = curve_file.read(self._path)
        self._chief = workers.is_chief(trainer.strategy)
        self._show = show
        folder = os.path.join(model_dir, trainer.config.trainer.validation_summary_subdir)
        self._summaries = orbit.utils.SummaryManager(
            folder if self._chief else None, tf.summary.scalar, trainer.global_step
        )

    def begin(self, step: int) -> None:
        """Drops the rows beyond the step that a run starts from: they are of other weights."""
        rows = [row for row in self._rows if row.step <= step]
        # Files change only where rows go. A worker that reads the file after that finds the same.
        if self._chief and len(rows) < len(self._rows):
            curve_file.write(self._path, rows)
        self._rows = rows

    def due(self, step: int) -> bool:
        """Whether the children are to be evaluated after this step, and have not been yet."""
        settings = self._trainer.config.trainer
        asked = step % settings.validation_interval == 0 or step >= settings.train_steps
        # A run that was killed during an evaluation begins with it.
        return step > 0 and asked and not (self._rows and self._rows[-1].step == step)

    def record(self, step: int) -> None:
        """Evaluates the children as they are after this step."""
        began = time.monotonic()
        self._trainer.refresh_evaluated()
        top1 = dict[str, float]()
        for name, outcome in self._evaluate().items():
            if isinstance(outcome, errors.RunError):
                console.warn(self._show, [f"no accuracy of {name} at step {step}: {outcome}"])
            else:
                top1[name] = outcome
        shown = "  ".join(f"{name} {percent(value)}" for name, value in top1.items()) or "none"
        self._show(
            f"step {step}/{self._trainer.config.trainer.train_steps}  top-1: {shown}  "
            f"({time.monotonic() - began:.0f} s)"
        )
        self._summaries.write_summaries({f"top1/{name}": value for name, value in top1.items()})
        self._summaries.flush()
        self._rows.append(curve_file.Scores(step, top1))
        if self._chief:
            curve_file.write(self._path, self._rows)
