"""A run small enough for a test: 8x8 digits, three stages, a handful of weights."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
import yaml
from official.common import distribute_utils
from official.core import config_definitions as cfg

from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import models, parsing, trainer

BATCH = 8
# Overrides of a run without a graph: tracing would take many times as long as a few steps.
EAGER = "trainer.train_tf_while_loop=false,trainer.train_tf_function=false,"

_SPACE: dict[str, Any] = {
    "name": "test",
    "stem_widths": [4, 6],
    "stem_stride": 2,
    "stages": [
        {"widths": [4, 6], "depths": [1], "kernels": [3], "expands": [1]},
        {"widths": [8, 12], "depths": [1, 2], "kernels": [3, 5], "expands": [2], "stride": 2},
    ],
    "head_widths": [16, 20, 24],
    "train_resolutions": [8, 12, 14, 16],
    "eval_resolutions": [8, 12, 14, 16],
    "base_resolution": 14,
}
# Tracing takes its time by blocks, however small: runs take one, of which a child has every
# choice but its depth, and two where an optional block matters.
ONE_STAGE = [{"widths": [8, 12], "depths": [1, 2], "kernels": [3, 5], "expands": [2], "stride": 2}]
ONE_BLOCK = [{"widths": [8, 12], "depths": [1], "kernels": [3, 5], "expands": [2], "stride": 2}]


def write_yaml(path: pathlib.Path, values: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return str(path)


def space_file(folder: pathlib.Path, **changes: Any) -> str:
    """Writes the space, with some of its fields changed."""
    return write_yaml(folder / "space.yaml", _SPACE | changes)


def space_of(folder: pathlib.Path, **changes: Any) -> SearchSpace:
    return presets.get(space_file(folder, **changes))


def parse(folder: pathlib.Path, overrides: str = "") -> cfg.ExperimentConfig:
    """The experiment `bignas_small` on digits, in a space of one block.

    A space that the folder has already, from `space_file`, is taken in its place.
    """
    path = folder / "space.yaml"
    space = str(path) if path.exists() else space_file(folder, stages=ONE_BLOCK)
    data = {
        "source": "digits", "tfds_name": "", "tfds_split": "train", "base_size": 14,
        "global_batch_size": BATCH, "flip": False,
    }  # fmt: skip
    task = {
        "model": {"search_space": space},
        "train_data": data,
        "selection": {"ranking_split": "test[:100]", "reporting_split": "test[100:]"},
    }
    steps = {"train_steps": 6, "steps_per_loop": 3, "checkpoint_interval": 3, "summary_interval": 3}
    # A rate that does not follow the run's length: tests continue short runs as longer ones.
    rate = {"learning_rate": {"constant_ending": {"decay_steps": 13}}}
    values = {"task": task, "trainer": {**steps, "optimizer_config": rate}}
    file = write_yaml(folder / "experiment.yaml", values)
    return parsing.parse("bignas_small", [file], overrides)


def on_one_cpu() -> tf.distribute.Strategy:
    """The strategy of `tools.train` with no GPU."""
    return distribute_utils.get_distribution_strategy("one_device", num_gpus=0)


def train(config: cfg.ExperimentConfig, folder: pathlib.Path) -> dict[str, np.ndarray]:
    """Trains in `folder`; returns every tensor of the last checkpoint but its counter."""
    trainer.train(config, str(folder), on_one_cpu())
    return tensors(tf.train.latest_checkpoint(str(folder)))


def tensors(checkpoint: str) -> dict[str, np.ndarray]:
    reader = tf.compat.v1.train.NewCheckpointReader(checkpoint)
    names = set(reader.get_variable_to_shape_map())
    left_out = {name for name in names if name.startswith(("_CHECKPOINTABLE", "save_counter"))}
    return {name: reader.get_tensor(name) for name in sorted(names - left_out)}


def supernet_of(config: cfg.ExperimentConfig) -> Supernet:
    """A supernet whose every weight differs from its start, so that no gradient is zero."""
    supernet = models.build_supernet(config.task, presets.get(config.task.model.search_space))
    rng = np.random.default_rng(0)
    for weight in supernet.trainable_variables:
        weight.assign_add(rng.normal(0.0, 0.1, weight.shape).astype(np.float32))
    return supernet


def patches(side: int = 14, channels: int = 1) -> tf.Tensor:
    """uint8 [BATCH, side, side, channels] of noise."""
    rng = np.random.default_rng(1)
    return tf.constant(rng.integers(0, 256, (BATCH, side, side, channels)), tf.uint8)


def labels(shift: int = 0) -> tf.Tensor:
    return tf.constant((np.arange(BATCH) + shift) % 10, tf.int32)


def summaries(folder: pathlib.Path) -> dict[tuple[str, int], float]:
    """What TensorBoard would show, by tag and step."""
    found = {}
    for path in folder.glob("events.*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    return found
