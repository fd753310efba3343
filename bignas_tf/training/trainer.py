"""Runs a training experiment on Orbit: progress, checkpoints, and a stop on NaN."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from typing import Any

import tensorflow as tf
import yaml
from official.core import base_trainer, train_lib
from official.core import config_definitions as cfg

from bignas_tf import errors, files
from bignas_tf.data import faults
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import checkpoints, configs
from bignas_tf.training.task import BigNASTask


class SupernetTrainer(base_trainer.Trainer):
    """The Model Garden's trainer, with optimiser slots made early and images a second."""

    def __init__(self, config: cfg.ExperimentConfig, task: BigNASTask) -> None:
        model = task.build_model()
        optimizer = task.create_optimizer(config.trainer.optimizer_config, config.runtime)
        # Slots made inside a traced replica step would crash MirroredStrategy.
        optimizer._create_all_weights(model.trainable_variables)
        super().__init__(config, task, model, optimizer, train=True, evaluate=False)
        self._loop_began = 0.0
        self._loop_first_step = 0

    def train_loop_begin(self) -> None:
        super().train_loop_begin()
        self._loop_began = time.monotonic()
        self._loop_first_step = int(self.global_step.numpy())

    def train_loop_end(self) -> dict[str, Any]:
        logs = super().train_loop_end()
        steps = int(self.global_step.numpy()) - self._loop_first_step
        seconds = time.monotonic() - self._loop_began
        images = steps * self.config.task.train_data.global_batch_size
        return logs | {"images_per_second": images / seconds, "steps_per_second": steps / seconds}


class Progress:
    """Prints one line a loop; stops the run where a loss or a weight is not finite.

    Raises (when called):
      RunError: names the step and the last good checkpoint.
    """

    def __init__(self, trainer: SupernetTrainer, model_dir: str) -> None:
        self._trainer = trainer
        self._model_dir = model_dir
        self._weights = trainer.model.trainable_variables
        self._total = trainer.config.trainer.train_steps
        self._stream = sys.stdout

    def __call__(self, logs: dict[str, Any]) -> None:
        values = {name: float(value) for name, value in logs.items()}
        step = int(self._trainer.global_step.numpy())
        losses = {name[5:]: v for name, v in values.items() if name.startswith("loss_")}
        # A last update may have ruined weights whose loss was never computed: do not save them.
        finite = all(bool(tf.reduce_all(tf.math.is_finite(v))) for v in self._weights)
        if not (finite and all(map(math.isfinite, losses.values()))):
            good = tf.train.latest_checkpoint(self._model_dir) or "none was saved"
            raise errors.RunError(
                f"the loss or a weight is not finite at step {step}: {losses}; "
                f"last good checkpoint: {good}; lower the learning rate or lengthen the warm-up"
            )
        left = (self._total - step) / values["steps_per_second"]
        shown = "  ".join(f"{role} {loss:.3f}" for role, loss in losses.items())
        print(
            f"step {step}/{self._total}  loss: {shown}  lr {values['learning_rate']:.5f}  "
            f"{values['images_per_second']:.0f} images/s  {left / 60:.1f} min left",
            file=self._stream,
            flush=True,
        )


def train(config: cfg.ExperimentConfig, model_dir: str, strategy: tf.distribute.Strategy) -> None:
    """Trains to `config.trainer.train_steps`, from the latest checkpoint if there is one.

    Writes checkpoints, TensorBoard summaries, `params.yaml` and
    `search_space.yaml` into `model_dir`.

    Raises:
      UsageError: a bad configuration, or a checkpoint of another space.
      RunError: the loss became NaN or infinite.
    """
    configs.validate(config)
    space = presets.get(config.task.model.search_space)
    if config.task.train_data.base_size != space.base_resolution:
        raise errors.UsageError(
            f"task.train_data.base_size is {config.task.train_data.base_size}; patches of space "
            f"{space.name!r} are {space.base_resolution} pixels"
        )
    files.ensure_writable(model_dir)
    checkpoint = tf.train.latest_checkpoint(model_dir)
    if checkpoint:
        checkpoints.check_space(checkpoint, space)
        print(f"resuming from {checkpoint}", flush=True)
    _describe(config, space, model_dir)
    with strategy.scope():
        task = BigNASTask(config.task, logging_dir=model_dir)
        trainer = SupernetTrainer(config, task)
    progress = Progress(trainer, model_dir)
    # Orbit prints every metric of every loop; the progress lines say it shorter.
    with open(os.path.join(model_dir, "orbit.log"), "a") as log, contextlib.redirect_stdout(log):
        runner = train_lib.OrbitExperimentRunner(
            strategy,
            task,
            "train",
            config,
            model_dir,
            trainer=trainer,
            train_actions=[progress],
        )
        with faults.named(config.task.train_data):
            runner.controller.train(steps=config.trainer.train_steps)


def _describe(config: cfg.ExperimentConfig, space: SearchSpace, model_dir: str) -> None:
    """Writes what `checkpoints.load_run` needs, space included: a preset may change later."""
    values = yaml.safe_dump(config.as_dict(), sort_keys=False)
    files.write_text(os.path.join(model_dir, checkpoints.PARAMS_FILE), values)
    files.write_text(os.path.join(model_dir, checkpoints.SPACE_FILE), presets.to_yaml(space))
