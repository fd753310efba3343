"""Checks of `trainer.optimizer_config`: the optimiser, its learning rate and its averages."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from official.core import config_definitions as cfg
from official.modeling import hyperparams, optimization
from official.modeling.optimization import optimizer_factory

from bignas_tf import errors, plain
from bignas_tf.errors import require
from bignas_tf.training import schedules

_WHERE = "trainer.optimizer_config"
_ABOVE_0 = ("initial_learning_rate", "learning_rate", "decay_rate")
_SHARES = ("momentum", "rho", "beta_1", "beta_2")  # of the past in an average
_CLIPS = ("clipnorm", "global_clipnorm", "clipvalue")
_NOT_NEGATIVE = (
    "initial_mean_square", "warmup_learning_rate", "epsilon", "weight_decay_rate",
    "gradient_clip_norm", "end_learning_rate", "alpha", "decay",
)  # fmt: skip
_PATTERNS = (
    "exclude_from_weight_decay", "include_in_weight_decay", "exclude_from_layer_adaptation",
)  # fmt: skip
# What a schedule cannot do without, and the Model Garden leaves open.
_NEEDED = (
    "initial_learning_rate", "decay_steps", "total_decay_steps", "decay_rate", "warmup_steps",
    "boundaries", "values",
)  # fmt: skip


def check(trainer: cfg.TrainerConfig) -> None:
    """Checks the names of the optimiser and of the schedules, and their numbers.

    Building them would start TensorFlow too early for the strategy of several workers.

    Raises:
      UsageError: names the field, its value and what is allowed.
    """
    config = trainer.optimizer_config
    for name, choices in _checked_types(trainer):
        where, chosen = f"{_WHERE}.{name}.{choices.type}", choices.get()
        _check_numbers(where, chosen)
        if name != "optimizer":
            _check_needed(where, chosen)
    _check_length(trainer)
    if config.ema:
        _check_average(config.ema)
    kind = optimizer_factory.LEGACY_OPTIMIZERS_CLS[config.optimizer.type]
    if not hasattr(kind, "_create_all_weights"):
        raise errors.UsageError(
            f"{_WHERE}.optimizer.type is {config.optimizer.type!r}, which has no legacy Keras "
            "version, which this trainer needs; choose another, such as 'rmsprop'"
        )


def check_types(trainer: cfg.TrainerConfig) -> None:
    """Checks the names of the optimiser and of the schedules alone; see `check`."""
    for _ in _checked_types(trainer):
        pass


def _checked_types(trainer: cfg.TrainerConfig) -> Iterator[tuple[str, hyperparams.OneOfConfig]]:
    """The choices that are made, by their fields, each once its type is known to exist."""
    for name in ("optimizer", "learning_rate", "warmup"):
        choices = getattr(trainer.optimizer_config, name)
        if name == "warmup" and choices.type is None:
            continue
        allowed = [field.name for field in dataclasses.fields(choices) if field.name != "type"]
        errors.require_one_of(f"{_WHERE}.{name}.type", choices.type, allowed)
        yield name, choices


def _check_numbers(where: str, chosen: hyperparams.Config) -> None:
    """Refuses numbers that no schedule or optimiser can use."""
    for name, value in chosen.as_dict().items():
        field = f"{where}.{name}"
        if isinstance(value, float):
            require(math.isfinite(value), field, value, "a finite number")
        if name in _ABOVE_0 and value is not None:
            require(_is_positive(value, math.inf), field, value, "a number above 0")
        if name in _CLIPS and value is not None:
            require(_is_positive(value, math.inf), field, value, "a number above 0, or null")
        if name in _NOT_NEGATIVE and value is not None:
            require(value >= 0.0, field, value, "0 or more")
        if name in _PATTERNS and value is not None:
            _check_patterns(field, value)
        if name in _SHARES:
            require(0.0 <= value < 1.0, field, value, "0 or more, and less than 1")
        if (name == "offset" or name.endswith("_steps")) and value is not None:
            require(plain.is_whole(value, 0), field, value, "a whole number from 0")


def _check_patterns(field: str, patterns: Sequence[str]) -> None:
    """Refuses what is no regular expression, or no list of them."""
    listed = isinstance(patterns, list | tuple)
    require(listed, field, patterns, "a list of regular expressions")
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise errors.UsageError(
                f"{field} has {errors.shown(pattern)}, which is no regular expression: {error}"
            ) from error


def _check_needed(where: str, schedule: hyperparams.Config) -> None:
    """Refuses a schedule that is not complete, or whose pieces do not follow each other."""
    fields = schedule.as_dict()
    for name in _NEEDED:
        if name in fields and fields[name] is None:
            whole = "; 0 is the length of the run" if name in schedules.LENGTHS.values() else ""
            raise errors.UsageError(f"{where}.{name} is not set; this schedule needs it{whole}")
    if "boundaries" not in fields:
        return
    boundaries, values = fields["boundaries"], fields["values"]
    steps = _is_list_of(boundaries, lambda step: plain.is_whole(step, 0))
    steps = steps and list(boundaries) == sorted(set(boundaries))
    require(steps, f"{where}.boundaries", boundaries, "ascending steps, whole numbers from 0")
    rates = _is_list_of(values, lambda rate: plain.is_number(rate) and 0.0 <= rate < math.inf)
    # A cosine in steps has a rate at each boundary, steps alone have one behind the last, too.
    more = 0 if isinstance(schedule, optimization.StepCosineLrConfig) else 1
    rates = rates and len(values) == len(boundaries) + more
    takes = f"rates, each 0 or more, {len(boundaries) + more} for these boundaries"
    require(rates, f"{where}.values", values, takes)


def _is_list_of(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and all(map(fits, value))


def _check_length(trainer: cfg.TrainerConfig) -> None:
    """Checks a schedule that falls by the step, or until the run ends (a length of 0)."""
    choices = trainer.optimizer_config.learning_rate
    schedule, where = choices.get(), f"{_WHERE}.learning_rate.{choices.type}"
    if choices.type == "exponential" and schedule.decay_steps == 0:
        raise errors.UsageError(
            f"{where}.decay_steps is 0, but this schedule never ends: give "
            "1 or more, or choose constant_ending"
        )
    if choices.type == "constant_ending":
        floor = schedule.floor
        require(0.0 <= floor < 1.0, f"{where}.floor", floor, "0 or more, and less than 1")
    if choices.type == "step_cosine_with_offset":
        end = schedule.boundaries[-1] + schedule.offset if schedule.boundaries else 0
        if end <= trainer.train_steps:
            raise errors.UsageError(
                f"{where}.boundaries end at step {end}, from which on the Model Garden's rate is "
                f"NaN; the run ends at step {trainer.train_steps}: add a boundary beyond it"
            )
    if choices.type not in schedules.LENGTHS:
        return
    if getattr(schedule, schedules.LENGTHS[choices.type]) != 0:
        return
    if choices.type == "constant_ending" and not (
        schedule.floor > 0.0 and _is_positive(schedule.decay_rate, 1.0)
    ):
        raise errors.UsageError(
            f"{where}.decay_steps is 0, so that the rate reaches its floor in the last step; that "
            f"needs a floor above 0 (it is {schedule.floor}) and a decay_rate between 0 and 1 (it "
            f"is {schedule.decay_rate}); or give the decay_steps in which the rate falls by that"
        )
    if not getattr(schedule, "offset", 0) < trainer.train_steps:
        raise errors.UsageError(
            f"{where}.offset is {schedule.offset}; the run ends at step {trainer.train_steps}"
        )


def _check_average(config: optimization.EMAConfig) -> None:
    where, decay = f"{_WHERE}.ema", config.average_decay
    require(0.0 <= decay < 1.0, f"{where}.average_decay", decay, "0 or more, and less than 1")
    require(config.start_step >= 0, f"{where}.start_step", config.start_step, "0 or more")
    # The Model Garden copies the weights before `start_step`, and averages start as zeros.
    if not config.dynamic_decay and config.start_step < 2:
        raise errors.UsageError(
            f"{where}.start_step is {config.start_step}; with dynamic_decay=false it takes 2 or "
            "more, or the averages would begin at zeros"
        )


def _is_positive(value: Any, below: float) -> bool:
    return plain.is_number(value) and 0.0 < value < below
