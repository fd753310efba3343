"""What judging and the evaluation of named children read of a training run.

`training` has the classes, but this room may not import them: `api` brings the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bignas_tf.data.config import DataConfig
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.config import SelectionConfig


class SandwichRules(Protocol):
    """Which children a step trained; `training.configs.SandwichConfig` says what each means."""

    biggest: bool
    smallest: bool
    num_random: int
    resolutions: str
    alone: str


class Model(Protocol):
    """Part of `training.configs.SupernetConfig`."""

    search_space: str


class Evaluation(Protocol):
    """`training.configs.EvaluationConfig`: which children are scored during training, on what."""

    children: tuple[str, ...]
    split: str
    images: int


class Task(Protocol):
    """Part of `training.configs.BigNASConfig`."""

    @property
    def model(self) -> Model: ...

    @property
    def sandwich(self) -> SandwichRules: ...

    @property
    def train_data(self) -> DataConfig: ...

    @property
    def selection(self) -> SelectionConfig: ...

    @property
    def evaluation(self) -> Evaluation: ...


class Config(Protocol):
    """Part of a run's `ExperimentConfig`."""

    @property
    def task(self) -> Task: ...


class TrainedRun(Protocol):
    """Part of `training.checkpoints.Run`."""

    @property
    def model_dir(self) -> str: ...

    @property
    def config(self) -> Config: ...

    @property
    def space(self) -> SearchSpace: ...

    @property
    def supernet(self) -> Supernet: ...

    @property
    def source(self) -> Mapping[str, Any]: ...
