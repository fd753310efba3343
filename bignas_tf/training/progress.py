"""What a user sees of the training loops."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from bignas_tf import console, errors
from bignas_tf.console import Show
from bignas_tf.data import folders, inputs, sources
from bignas_tf.data.config import DataConfig
from bignas_tf.training import listing
from bignas_tf.training.loss_watch import CALMER, LossWatch
from bignas_tf.training.supernet_trainer import SupernetTrainer
from bignas_tf.training.task import DIFFERENT_CHOICES


class Progress:
    """Shows one line a loop; stops a run that cannot recover, and warns of one that goes wrong.

    Args:
      trainer: trains the supernet.
      model_dir: folder of the run.
      show: takes the lines.

    Raises (when called):
      RunError: a loss or a weight is not finite or the losses exceed `loss_upper_bound` (the
        step and the last good checkpoint are named), or the replicas drew different children.
    """

    def __init__(
        self, trainer: SupernetTrainer, model_dir: str, show: Show = console.print_line
    ) -> None:
        self._trainer = trainer
        self._model_dir = model_dir
        self._finite = _finite_weights(trainer)
        self._total = trainer.config.trainer.train_steps
        self._bound = trainer.config.trainer.loss_upper_bound
        shares = inputs.class_shares(trainer.config.task.train_data)
        self._watch = LossWatch(trainer.config, model_dir, shares)
        self._show = show
        console.warn(show, _absent_classes(trainer.config.task.train_data, shares))

    def __call__(self, logs: dict[str, Any]) -> None:
        values = {name: float(value) for name, value in logs.items()}
        step = int(self._trainer.global_step.numpy())
        losses = {name[5:]: v for name, v in values.items() if name.startswith("loss_")}
        # The last update may have ruined the weights before a loss was computed: do not save them.
        if not (self._finite() and all(map(math.isfinite, losses.values()))):
            raise self._wrong(f"the loss or a weight is not finite at step {step}: {losses}")
        if values["training_loss"] > self._bound:
            raise self._wrong(
                f"the losses exceed trainer.loss_upper_bound ({self._bound:g}) at step {step}: "
                f"{losses}"
            )
        if values.get(DIFFERENT_CHOICES):
            raise errors.RunError(
                f"the replicas drew different children in the loop that ended at step {step}; "
                "the draw must depend on the step and the seed alone"
            )
        left = (self._total - step) / values["steps_per_second"]
        shown = "  ".join(f"{role} {loss:.3f}" for role, loss in losses.items())
        self._show(
            f"step {step}/{self._total}  loss: {shown}  lr {values['learning_rate']:.5f}  "
            f"{values['images_per_second']:.0f} images/s  {console.duration(left)} left"
        )
        console.warn(self._show, self._watch.after_loop(step, self._trainer.loop_steps, losses))

    def finished(self) -> None:
        """Says where the weights are, and warns of what the losses of the whole run say."""
        if checkpoint := listing.named(self._model_dir):
            step = int(self._trainer.global_step.numpy())
            self._show(f"checkpoint: {checkpoint}, step {step} of {self._total}")
        console.warn(self._show, self._watch.at_end())

    def _wrong(self, what: str) -> errors.RunError:
        latest = listing.named(self._model_dir) or "none was saved"
        return errors.RunError(f"{what}; last good checkpoint: {latest}; {CALMER}")


def _finite_weights(trainer: SupernetTrainer) -> Callable[[], bool]:
    """Returns a function that says whether all weights are finite.

    It is one graph, on the replicas: a slice whose weights are read one by one would wait for
    its hosts hundreds of times a loop.
    """
    strategy, weights = trainer.strategy, trainer.model.trainable_variables
    convert = tf.autograph.experimental.do_not_convert

    @convert
    def on_one() -> tf.Tensor:
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights])

    graph = tf.function(convert(lambda: strategy.run(on_one)))
    return lambda: bool(strategy.experimental_local_results(graph())[0])


def _absent_classes(data: DataConfig, shares: np.ndarray | None) -> Iterator[str]:
    """Warns of classes that no training image is of: nothing learns to answer with them."""
    if shares is None:
        return
    names = sources.class_names(data)
    absent = [names[label] for label in np.flatnonzero(shares == 0) if label >= data.label_offset]
    if absent:
        yield f"no image of {data.tfds_split} is of {folders.listed(absent)}: never an answer"
