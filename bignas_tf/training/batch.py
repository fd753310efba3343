"""Rescales a schedule to another global batch: the same epochs, a rate to match."""

from __future__ import annotations

import itertools
from typing import Any

from official.core import config_definitions as cfg

from bignas_tf import errors
from bignas_tf.training import schedules

_SCHEDULES = schedules.LENGTHS | {"exponential": "decay_steps", "constant": ""}
_RATES = ("initial_learning_rate", "end_learning_rate", "learning_rate", "warmup_learning_rate")


def follow(config: cfg.ExperimentConfig) -> str:
    """Rescales lengths and learning rates to the run's batch, if they are for another one.

    Lengths are in proportion to the images, so that epochs stay; rates are in proportion to
    the batch, the linear rule of https://arxiv.org/abs/1706.02677, section 2.1, that
    EfficientNet's code has too.

    Args:
      config: is changed in place; afterwards its numbers fit its batch.

    Returns:
      What was changed, in a line; nothing if nothing was.

    Raises:
      UsageError: a batch below 1, or a schedule whose length is not one number.
    """
    trainer, batch = config.trainer, config.task.train_data.global_batch_size
    meant = trainer.for_batch
    if meant in (0, batch):
        return ""
    if min(meant, batch) < 1:
        raise errors.UsageError(
            f"trainer.for_batch is {meant} and task.train_data.global_batch_size {batch}; both "
            "must be at least 1"
        )
    longer = meant / batch
    _rescale(config, longer)
    trainer.for_batch = batch
    return (
        f"a batch of {batch} instead of {meant}: {trainer.train_steps:,} steps, learning rates "
        f"times {1 / longer:g}"
    )


def _rescale(config: cfg.ExperimentConfig, longer: float) -> None:
    """Multiplies lengths by `longer`, and divides learning rates by it."""
    trainer, optimisation = config.trainer, config.trainer.optimizer_config
    kind, rate = optimisation.learning_rate.type, optimisation.learning_rate.get()
    if rate is not None and kind not in _SCHEDULES:
        raise errors.UsageError(
            f"trainer.optimizer_config.learning_rate.type is {kind!r}, which cannot follow the "
            f"batch; choose from {list(_SCHEDULES)}, or set trainer.for_batch=0"
        )
    warmup = optimisation.warmup.get()
    _lengthen(trainer, "train_steps", longer)
    _lengthen(trainer, "validation_interval", longer, trainer.steps_per_loop)
    _lengthen(config.task.distillation, "ramp_steps", longer)
    _lengthen(rate, _SCHEDULES.get(kind, ""), longer)
    _lengthen(rate, "offset", longer)
    _lengthen(warmup, "warmup_steps", longer)
    _lengthen(optimisation.ema, "start_step", longer, least=2)  # 1 is refused
    if kind == "power_linear" and rate.initial_learning_rate:
        # It multiplies a power of the step, which is another step now.
        rate.initial_learning_rate *= longer**-rate.power
    for holder, name in itertools.product((rate, warmup), _RATES):
        if isinstance(getattr(holder, name, None), int | float):
            setattr(holder, name, getattr(holder, name) / longer)


def _lengthen(holder: Any, name: str, factor: float, multiple: int = 1, least: int = 1) -> None:
    """Multiplies a positive step count, if set; what was `least` or more stays so."""
    value = getattr(holder, name, 0)
    if value and value > 0 and multiple > 0:
        setattr(holder, name, max(min(least, value), round(value * factor / multiple)) * multiple)
