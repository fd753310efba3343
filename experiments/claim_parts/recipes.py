"""How the runs of a campaign are configured: one experiment, and what each run changes of it."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from official.core import config_definitions as cfg

from bignas_tf import errors
from bignas_tf.training import parsing

# Settings of a child trained alone, of which each child gets the best; nets of so few weights
# may need less regularisation than the biggest child.
ALONE = {
    "no crop": ("task.regularisation.dropout_rate=0.0", "task.train_data.crop=none"),
    "crop": ("task.regularisation.dropout_rate=0.0", "task.train_data.crop=pad"),
    "crop, dropout": ("task.regularisation.dropout_rate=0.2", "task.train_data.crop=pad"),
}
# Of the many children of the part `ranking`: images as the supernet sees them.
ALONE_UNTUNED = ("task.regularisation.dropout_rate=0.0",)
# Of the part `adaptation`: the learning rate as a part of the configuration's. A short run may need
# a higher one, and what starts from good weights a lower one.
ADAPTING = {"rate x 2": 2.0, "rate x 1": 1.0, "rate x 0.3": 0.3}
_END_WITH_THE_RUN = ("cosine", "polynomial")
CROP = ("task.train_data.crop=pad",)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
      experiment: a registered one.
      sources: YAML files and overrides, later ones win.
      steps: its length, to which the decay of its rate is scaled; 0 for the configuration's.
      stretch: makes it that many times longer, with an exponential decay left as it is, unless
        its length is 0, which follows the run.
      seed: of weights, random children, order and augmentation.
    """

    experiment: str
    sources: tuple[str, ...]
    steps: int = 0
    stretch: int = 1
    seed: int = 0

    def changed(self, *sources: str, **fields: Any) -> Recipe:
        """The same with further sources, and other fields."""
        return dataclasses.replace(self, sources=self.sources + sources, **fields)

    def config(self) -> cfg.ExperimentConfig:
        """The whole configuration.

        Raises:
          UsageError: a source cannot be read or its values do not fit together.
        """
        seeds = f"task.seed={self.seed},task.train_data.seed={self.seed}"
        config = parsing.parse(self.experiment, [*self.sources, seeds], "")
        _set_length(config, self.steps or config.trainer.train_steps, self.stretch)
        return config


def alone(path: str) -> str:
    """The override that trains only the child of a JSON file."""
    return json.dumps({"task": {"sandwich": {"alone": path}}})


def started_from(model_dir: str) -> str:
    """The override that starts from the weights of another run."""
    return json.dumps({"task": {"init_checkpoint": model_dir}})


def adapting(config: cfg.ExperimentConfig, setting: str) -> str:
    """The override for a setting of `ADAPTING`.

    Raises:
      UsageError: the run's schedule has no initial learning rate.
    """
    kind = config.trainer.optimizer_config.learning_rate.type
    rate = {kind: {"initial_learning_rate": ADAPTING[setting] * _initial_rate(config)}}
    return json.dumps({"trainer": {"optimizer_config": {"learning_rate": rate}}})


def fine_tuning(config: cfg.ExperimentConfig, rate: float) -> str:
    """The override for a cosine decay from `rate` times a run's initial learning rate.

    Raises:
      UsageError: the run's schedule does not have one.
    """
    cosine = {"initial_learning_rate": rate * _initial_rate(config), "decay_steps": 0}
    optimizer = {"learning_rate": {"type": "cosine", "cosine": cosine}, "warmup": {"type": None}}
    return json.dumps({"trainer": {"optimizer_config": optimizer}})


def _initial_rate(config: cfg.ExperimentConfig) -> float:
    schedule = config.trainer.optimizer_config.learning_rate
    if not hasattr(schedule.get(), "initial_learning_rate"):
        raise errors.UsageError(
            f"trainer.optimizer_config.learning_rate.type is {schedule.type!r}; this part needs "
            "a schedule with an initial_learning_rate"
        )
    return float(schedule.get().initial_learning_rate)


def _set_length(config: cfg.ExperimentConfig, steps: int, stretch: int) -> None:
    """Sets the steps of a run, and lets the decay of its learning rate follow."""
    schedule = config.trainer.optimizer_config.learning_rate
    rate = schedule.get()
    ratio = steps / config.trainer.train_steps
    config.trainer.train_steps = steps * stretch
    if not getattr(rate, "decay_steps", 0):
        return  # it follows the run by itself, and so does the warm-up
    if schedule.type in _END_WITH_THE_RUN:
        rate.decay_steps = config.trainer.train_steps
    else:
        rate.decay_steps = max(1, round(rate.decay_steps * ratio))
