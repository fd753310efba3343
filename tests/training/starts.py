"""Runs that start from the weights of another, as their trainer has them before the first step."""

from __future__ import annotations

import pathlib

import numpy as np
import tensorflow as tf
from official.core import config_definitions as cfg

from bignas_tf.search_space import presets
from bignas_tf.training import initial_weights, trainer
from bignas_tf.training.task import BigNASTask
from tests.data import samples
from tests.training import runs

FAST = f"{runs.EAGER}task.sandwich.smallest=false,task.sandwich.num_random=0,"


def photos(folder: pathlib.Path, start: pathlib.Path, channels: int = 1) -> cfg.ExperimentConfig:
    """A run on four classes of photographs that starts from another."""
    root = samples.write_folder(folder / "photos")
    return runs.parse(folder, f"{FAST}task.init_checkpoint={start},{of_photos(root, channels)}")


def of_photos(root: pathlib.Path, channels: int = 1) -> str:
    return (
        f"task.train_data.source=folder,task.train_data.input_path={root},"
        f"task.train_data.channels={channels},task.train_data.num_classes={samples.CLASSES},"
    )


def started(
    config: cfg.ExperimentConfig, strategy: tf.distribute.Strategy
) -> trainer.SupernetTrainer:
    """The trainer as Orbit leaves it before the first step."""
    with strategy.scope():
        task = BigNASTask(config.task)
        space = presets.get(config.task.model.search_space)
        start = initial_weights.start(config.task, space, strategy)
        started = trainer.SupernetTrainer(config, task, start)
        started.initialize()
    return started


def weights(model: tf.Module, without_classifier: bool = False) -> list[np.ndarray]:
    left_out = {each.ref() for each in model.classifier.trainable_variables}
    return [
        variable.numpy()
        for variable in model.trainable_variables
        if not (without_classifier and variable.ref() in left_out)
    ]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
