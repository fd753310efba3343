"""A run with another batch than its schedule's sees as many images, at a rate to match."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)
from official.core import config_definitions as cfg
from official.modeling import optimization

from bignas_tf import errors
from bignas_tf.training import batch, parsing

BATCH = "task.train_data.global_batch_size"
RATE = "trainer.optimizer_config.learning_rate"


def _parse(
    *overrides: str, name: str = "bignas_imagenet"
) -> tuple[cfg.ExperimentConfig, list[str]]:
    lines: list[str] = []
    return parsing.parse(name, [], ",".join(overrides), lines.append), lines


def _numbers(config: cfg.ExperimentConfig) -> dict[str, Any]:
    trainer, task = config.trainer, config.task
    optimisation = trainer.optimizer_config
    return {
        "train_steps": trainer.train_steps,
        "validation_interval": trainer.validation_interval,
        "steps_per_loop": trainer.steps_per_loop,
        "ramp_steps": task.distillation.ramp_steps,
        "warmup_steps": optimisation.warmup.get().warmup_steps,
        "decay_steps": optimisation.learning_rate.get().decay_steps,
        "rate": optimisation.learning_rate.get().initial_learning_rate,
    }


def test_a_quarter_of_the_batch_takes_four_times_the_steps_at_a_quarter_of_the_rate() -> None:
    ramp = "task.distillation.ramp_steps=10"
    (paper, none), (small, said) = _parse(ramp), _parse(ramp, f"{BATCH}=1024")
    expected = {
        name: value * 4 if isinstance(value, int) else value / 4
        for name, value in _numbers(paper).items()
    }
    assert _numbers(small) == expected | {"steps_per_loop": paper.trainer.steps_per_loop}
    assert none == []
    assert said == ["a batch of 1024 instead of 4096: 500,000 steps, learning rates times 0.25"]


def test_intervals_stay_ends_of_loops_and_a_length_of_0_stays_that_of_the_run() -> None:
    config, _ = _parse(f"{BATCH}=3000", f"{RATE}.constant_ending.decay_steps=0")
    numbers = _numbers(config)
    assert numbers["train_steps"] == round(125_000 * 4096 / 3000)
    assert numbers["validation_interval"] % numbers["steps_per_loop"] == 0
    assert numbers["decay_steps"] == 0


def test_a_loop_of_no_steps_is_refused_whatever_the_batch() -> None:
    with pytest.raises(errors.UsageError, match="steps_per_loop is 0"):
        _parse(f"{BATCH}=1024", "trainer.steps_per_loop=0")


def test_a_length_of_0_which_is_the_runs_stays() -> None:
    cosine = (f"{RATE}.cosine.initial_learning_rate=0.1", f"{RATE}.cosine.decay_steps=0")
    for more in ([], [f"{BATCH}=8"]):
        config, _ = _parse(f"{RATE}.type=cosine", *cosine, *more)
        assert config.trainer.optimizer_config.learning_rate.get().decay_steps == 0


@pytest.mark.parametrize("power", [-0.5, -1.0, 0.5])
def test_a_power_of_the_step_keeps_its_rate_at_each_image(power: float) -> None:
    given = (f"{RATE}.power_linear.initial_learning_rate=0.1", f"{RATE}.power_linear.power={power}")
    more = (f"{RATE}.type=power_linear", f"{RATE}.power_linear.total_decay_steps=1000")
    rates = []
    for size in (4096, 1024):
        config, _ = _parse(f"{BATCH}={size}", *more, *given)
        chosen = config.trainer.optimizer_config
        chosen.warmup.type = None
        factory = optimization.OptimizerFactory(chosen)
        rates.append(float(factory.build_learning_rate()(200 * 4096 // size)))
    assert rates[1] == pytest.approx(rates[0] / 4, rel=1e-6)


def test_the_start_of_averaging_follows() -> None:
    config, _ = _parse(f"{BATCH}=1024", "trainer.optimizer_config.ema.start_step=100")
    assert config.trainer.optimizer_config.ema.start_step == 400
    # With a fixed decay 1 is refused: whoever gave more would not know why.
    config, _ = _parse(f"{BATCH}=16384", "trainer.optimizer_config.ema.start_step=3")
    assert config.trainer.optimizer_config.ema.start_step == 2


def test_what_was_parsed_is_not_changed_again() -> None:
    config, _ = _parse(f"{BATCH}=1024")
    numbers = _numbers(config)
    assert batch.follow(config) == ""
    assert _numbers(config) == numbers


def test_numbers_of_no_certain_batch_are_left_alone() -> None:
    for config, lines in (
        _parse(f"{BATCH}=1024", "trainer.for_batch=0"),
        _parse(f"{BATCH}=16", name="bignas_small"),
    ):
        assert lines == []
        assert config.trainer.for_batch == 0
    assert _parse(f"{BATCH}=1024", "trainer.for_batch=0")[0].trainer.train_steps == 125_000


def test_other_schedules_are_refused() -> None:
    with pytest.raises(errors.UsageError, match=r"is 'stepwise', which cannot follow the batch"):
        _parse(f"{BATCH}=1024", f"{RATE}.type=stepwise")
    with pytest.raises(errors.UsageError, match=r"for_batch is -1 and .* must be at least 1"):
        _parse("trainer.for_batch=-1")
