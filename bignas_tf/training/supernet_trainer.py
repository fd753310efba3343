"""The Model Garden's trainer for a supernet."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from official.core import base_trainer
from official.core import config_definitions as cfg

from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.training import averaging, initial_weights, models, schedules
from bignas_tf.training.initial_weights import Start
from bignas_tf.training.task import BigNASTask


class SupernetTrainer(base_trainer.Trainer):
    """The Model Garden's trainer, with early optimiser slots and a count of images per second.

    Args:
      config: of the run.
      task: builds the supernet and its optimiser.
      start: what the supernet starts from; None for random weights, or those of a checkpoint.
    """

    def __init__(
        self, config: cfg.ExperimentConfig, task: BigNASTask, start: Start | None = None
    ) -> None:
        model = task.build_model()
        optimizer = task.create_optimizer(schedules.for_run(config.trainer), config.runtime)
        # Slots made inside a traced replica step would crash MirroredStrategy.
        optimizer._create_all_weights(model.trainable_variables)
        self._settings = _settings(optimizer)
        # Without gin, which would add a line of its own to the messages of errors.
        base_trainer.Trainer.__init__.__wrapped__(
            self, config, task, model, optimizer, train=True, evaluate=False
        )
        self.loop_steps = 0  # of the loop that ended last
        self._start = start
        self._loop_began = 0.0
        self._loop_first_step = 0

    def distribute_dataset(
        self, dataset_or_fn: Callable[..., tf.data.Dataset], *args: Any, **kwargs: Any
    ) -> Any:
        """Spreads the images over the replicas; one on the host's CPU reads them as they are.

        What TensorFlow would put between, to copy them to that CPU, is tuned by a thread, for which
        the end of the training would wait (see `data.parallel`).
        """
        if _on_one_cpu(self.strategy):
            return dataset_or_fn(*args, **kwargs)
        return super().distribute_dataset(dataset_or_fn, *args, **kwargs)

    def restore_settings(self) -> None:
        """Gives the optimiser what the configuration says; a checkpoint has what it was."""
        for variable, value in self._settings:
            variable.assign(value)

    def initialize(self) -> None:
        """Sets the weights of `start`; called if the folder of the run has no checkpoint."""
        if self._start is not None:
            initial_weights.assign(self._start, self.model, self.optimizer)
            self._start = None  # a second supernet, which would last as long as the training

    @functools.cached_property
    def evaluated(self) -> ElasticModel:
        """The supernet to evaluate: the trained one, or a second one with the averaged weights.

        Swapping the averages into the trained supernet and back would round its weights.
        """
        if not isinstance(self.optimizer, averaging.Average):
            return self.model
        with self.strategy.scope():
            return models.build_supernet(self.config.task, self.model.space)

    def refresh_evaluated(self) -> None:
        """Brings the averages up to this step."""
        if self.evaluated is not self.model:
            averaging.copy_weights(self.model, self.optimizer, self.evaluated)

    def train_loop_begin(self) -> None:
        super().train_loop_begin()
        self._loop_began = time.monotonic()
        self._loop_first_step = int(self.global_step.numpy())

    def train_loop_end(self) -> dict[str, Any]:
        logs = super().train_loop_end()
        self.loop_steps = steps = int(self.global_step.numpy()) - self._loop_first_step
        seconds = time.monotonic() - self._loop_began
        images = steps * self.config.task.train_data.global_batch_size
        return logs | {"images_per_second": images / seconds, "steps_per_second": steps / seconds}


def _settings(optimizer: tf_keras.optimizers.Optimizer) -> list[tuple[tf.Variable, np.ndarray]]:
    """The momentum and the like of an optimiser, which Keras keeps as variables, and their values.

    A learning rate is one of them if it is constant.
    """
    inner = averaging.averaged(optimizer)
    inner._create_hypers()
    return [(v, v.numpy()) for v in inner._hyper.values() if isinstance(v, tf.Variable)]


def _on_one_cpu(strategy: tf.distribute.Strategy) -> bool:
    if not isinstance(strategy, tf.distribute.OneDeviceStrategy):
        return False
    (device,) = strategy.extended.worker_devices
    return tf.DeviceSpec.from_string(device).device_type == "CPU"
