"""Exponential decay that ends in a constant (paper, Section 3.1)."""

from __future__ import annotations

import dataclasses

import tensorflow as tf
from official.modeling import optimization
from official.modeling.optimization import lr_schedule, optimizer_factory


class ConstantEndingDecay(lr_schedule.ExponentialDecayWithOffset):
    """Exponential decay, constant once it reaches `floor` times its start.

    Warm-up wraps it: the ramp ends on the decayed value, so that the schedule
    is continuous.

    Args:
      floor: fraction of the initial learning rate; 0 decays for ever.
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
class OptimizationConfig(optimization.OptimizationConfig):
    """The Model Garden's optimisers with our schedule among the choices."""

    learning_rate: LrConfig = dataclasses.field(default_factory=LrConfig)


optimizer_factory.LR_CLS["constant_ending"] = ConstantEndingDecay
