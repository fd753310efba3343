"""Learning rates: the paper's (Section 3.1), and schedules as long as the run; the optimisers."""

from __future__ import annotations

import dataclasses
import math

import tensorflow as tf
from official.core import config_definitions as cfg
from official.modeling import optimization
from official.modeling.optimization import lr_schedule, optimizer_factory

from bignas_tf.training.rmsprop import RMSprop, RMSPropConfig

# The field of each schedule that says how long it falls; 0 stands for the run's length.
LENGTHS = {
    "constant_ending": "decay_steps",
    "cosine": "decay_steps",
    "polynomial": "decay_steps",
    "power_linear": "total_decay_steps",
}
_WARMUP_PART = 10  # a warm-up takes at most the 10th part of a run that its schedule follows


class ConstantEndingDecay(lr_schedule.ExponentialDecayWithOffset):
    """Exponential decay, constant once it reaches `floor` times its start.

    Warm-up wraps it: the ramp ends on the decayed value, so that the schedule
    is continuous.

    Args:
      floor: fraction of the initial learning rate; 0 decays forever.
      **kwargs: those of `ExponentialDecayWithOffset`.
    """

    def __init__(self, floor: float, **kwargs: float) -> None:
        super().__init__(**kwargs)
        self._lowest = floor * kwargs["initial_learning_rate"]

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return tf.maximum(super().__call__(step), self._lowest)


@dataclasses.dataclass
class ConstantEndingConfig(optimization.ExponentialLrConfig):
    """See `ConstantEndingDecay`; 5% is the paper's floor."""

    floor: float = 0.05


@dataclasses.dataclass
class LrConfig(optimization.LrConfig):
    """The Model Garden's schedules, and ours."""

    type: str | None = "constant_ending"
    constant_ending: ConstantEndingConfig = dataclasses.field(default_factory=ConstantEndingConfig)


@dataclasses.dataclass
class OptimizerConfig(optimization.OptimizerConfig):
    """The Model Garden's optimisers, with a choice of where RMSProp starts."""

    rmsprop: RMSPropConfig = dataclasses.field(default_factory=RMSPropConfig)


@dataclasses.dataclass
class OptimizationConfig(optimization.OptimizationConfig):
    """The Model Garden's optimisers with our schedule among the choices."""

    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    learning_rate: LrConfig = dataclasses.field(default_factory=LrConfig)


def for_run(trainer: cfg.TrainerConfig) -> OptimizationConfig:
    """The optimisation of a run, in which a schedule of length 0 falls until the last step.

    "constant_ending" reaches its floor there: 0.97 every `decay_steps` falls to 5% in 98.35 of
    them, so they are a 98.35th of the fall. It begins where the warm-up ends: by then a short run
    would have lost most of its rate otherwise. The warm-up takes at most a tenth of the run.
    """
    config = trainer.optimizer_config
    kind = config.learning_rate.type
    field = LENGTHS.get(kind)
    schedule = config.learning_rate.get()
    if field is None or getattr(schedule, field) != 0:
        return config
    # The copy keeps its class; `override` would refuse a length that is not a whole number.
    config = config.replace()
    schedule, warmup = config.learning_rate.get(), config.warmup.get()
    if warmup is not None:
        warmup.warmup_steps = min(warmup.warmup_steps, trainer.train_steps // _WARMUP_PART)
        if kind == "constant_ending":
            schedule.offset = max(schedule.offset, warmup.warmup_steps)
    steps = float(trainer.train_steps - getattr(schedule, "offset", 0))
    if kind == "constant_ending":
        steps *= math.log(schedule.decay_rate) / math.log(schedule.floor)
    setattr(schedule, field, steps)
    return config


optimizer_factory.LR_CLS["constant_ending"] = ConstantEndingDecay
optimizer_factory.LEGACY_OPTIMIZERS_CLS["rmsprop"] = RMSprop
