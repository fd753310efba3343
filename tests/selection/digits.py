"""A small supernet with telling weights, and real digits for it."""

from __future__ import annotations

import pathlib
from typing import Any

import tf_keras
import yaml
from official.core import config_definitions as cfg

from bignas_tf.data.config import DataConfig
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import splits
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.splits import Split
from bignas_tf.training import parsing
from tests.modeling import helpers

CLASSES = 10
SPACE: dict[str, Any] = {
    "name": "digits",
    "stem_widths": [4, 8],
    "stem_stride": 1,
    "stages": [
        {"widths": [4, 8], "depths": [1], "kernels": [3], "expands": [1]},
        {"widths": [8, 12], "depths": [1, 2], "kernels": [3, 5], "expands": [2, 3], "stride": 2},
    ],
    "head_widths": [16, 24],
    "train_resolutions": [8, 10],
    "eval_resolutions": [8, 9, 10],
    "base_resolution": 8,
}

# A run of the tools on this space; the path of the space is the caller's to give. Two steps without
# tracing take a third of the time that tracing one takes.
STEPS = 2
EXPERIMENT: dict[str, Any] = {
    "task": {
        "train_data": {
            "source": "digits",
            "tfds_name": "",
            "tfds_split": "train[:1200]",
            "base_size": 8,
            "channels": 1,
            "num_classes": CLASSES,
            "crop": "pad",
            "global_batch_size": 64,
        },
        "sandwich": {"num_random": 1},
        "evaluation": {"children": ["smallest", "biggest"], "split": "train[1200:]"},
        "selection": {
            "calibration_split": "train[:128]",
            "calibration_images": 150,  # more than the split has
            "ranking_split": "train[1200:]",
            "reporting_split": "test",
            "batch_size": 64,
            "depth_multipliers": [0.0, 1.0],
            "kernel_patterns": ["smallest", "largest"],
            "rounds": 1,
            "mutants": 2,
        },
    },
    "trainer": {
        "train_steps": STEPS,
        "steps_per_loop": STEPS,
        "checkpoint_interval": STEPS,
        "summary_interval": STEPS,
        "validation_interval": STEPS,
        "train_tf_while_loop": False,
        "train_tf_function": False,
    },
}


def space() -> SearchSpace:
    return presets.from_dict(SPACE)


def one_stage() -> SearchSpace:
    """The stage with every choice: tracing takes its time by blocks."""
    return presets.from_dict(SPACE | {"stages": SPACE["stages"][1:]})


def one_block() -> SearchSpace:
    """Every choice but that of the depth."""
    stage = SPACE["stages"][1] | {"depths": [1]}
    return presets.from_dict(SPACE | {"stages": [stage]})


def supernet(execution: str = "slice", within: SearchSpace | None = None) -> Supernet:
    """Random weights, gammas away from 0 and 1; equal ones for every execution.

    Args:
      execution: see `Supernet`.
      within: its space; the digits' by default.
    """
    tf_keras.utils.set_random_seed(0)
    net = Supernet(within or space(), CLASSES, input_channels=1, execution=execution)
    helpers.randomise(net)
    return net


def parse(folder: pathlib.Path) -> cfg.ExperimentConfig:
    """EXPERIMENT on SPACE as a run's configuration; writes both into the folder."""
    (folder / "search_space.yaml").write_text(yaml.safe_dump(SPACE))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    space = f"task.model.search_space={folder / 'search_space.yaml'}"
    return parsing.parse("bignas_small", [str(folder / "experiment.yaml")], space)


def data() -> DataConfig:
    return DataConfig(
        source="digits",
        tfds_split="train",
        base_size=8,
        channels=1,
        num_classes=CLASSES,
        crop="pad",
        global_batch_size=32,
    )


def batches(split: str, batch_size: int = 32) -> Split:
    return splits.open_split(data(), split, batch_size)


def evaluator(net: Supernet) -> Evaluator:
    return Evaluator(net, batches("train[:96]"))
