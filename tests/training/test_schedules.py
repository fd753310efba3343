"""The learning rate and the optimiser that the experiment asks for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from official.modeling.optimization import optimizer_factory

from bignas_tf.training import configs, experiment, experiments, schedules

START, DECAY_STEPS, WARMUP = 0.016, 40, 100


def _factory() -> optimizer_factory.OptimizerFactory:
    config = configs.blank_experiment()
    experiments.set_optimisation(config, START, DECAY_STEPS, WARMUP)
    return optimizer_factory.OptimizerFactory(config.trainer.optimizer_config)


def _rates(steps: list[int]) -> np.ndarray:
    schedule = _factory().build_learning_rate()
    return np.array([float(schedule(tf.constant(step, tf.int64))) for step in steps])


def _decayed(step: int) -> float:
    return START * 0.97 ** (step / DECAY_STEPS)


def test_warm_up_is_a_straight_line_to_the_decayed_value() -> None:
    steps = [0, 1, 25, 50, 99]
    expected = [_decayed(WARMUP) * step / WARMUP for step in steps]
    np.testing.assert_allclose(_rates(steps), expected, rtol=1e-5)


def test_warm_up_ends_without_a_jump() -> None:
    before, at, after = _rates([WARMUP - 1, WARMUP, WARMUP + 1])
    assert at == pytest.approx(_decayed(WARMUP), rel=1e-5)
    assert at - before == pytest.approx(_decayed(WARMUP) / WARMUP, rel=1e-3)
    assert after == pytest.approx(_decayed(WARMUP + 1), rel=1e-5)


def test_decay_is_exponential_until_the_floor() -> None:
    # 0.97^n = 0.05 at n = 98.35, which is step 3934.
    steps = [200, 1000, 3930]
    np.testing.assert_allclose(_rates(steps), [_decayed(step) for step in steps], rtol=1e-4)


def test_the_floor_is_reached_and_constant() -> None:
    assert _rates([3933])[0] > 0.05 * START
    np.testing.assert_allclose(_rates([3935, 10_000, 10**7]), 0.05 * START, rtol=1e-6)


def test_no_floor_decays_for_ever() -> None:
    schedule = schedules.ConstantEndingDecay(
        floor=0.0, initial_learning_rate=1.0, decay_steps=1, decay_rate=0.5
    )
    assert float(schedule(tf.constant(20))) == pytest.approx(0.5**20)


@pytest.mark.parametrize("name", experiments.names())
def test_the_experiments_build_rmsprop_as_efficientnet_has_it(name: str) -> None:
    config = experiment.parse(name, [], "")
    factory = optimizer_factory.OptimizerFactory(config.trainer.optimizer_config)
    schedule = factory.build_learning_rate()
    optimizer = factory.build_optimizer(schedule)
    assert "rmsprop" in type(optimizer).__name__.lower()
    settings = optimizer.get_config()
    assert (settings["rho"], settings["momentum"], settings["epsilon"]) == (0.9, 0.9, 1e-3)
    assert not settings["centered"]
    assert optimizer.learning_rate is schedule


def test_two_updates_equal_rmsprop_with_momentum() -> None:
    config = experiment.parse("bignas_small", [], "trainer.optimizer_config.warmup.type=null")
    factory = optimizer_factory.OptimizerFactory(config.trainer.optimizer_config)
    optimizer = factory.build_optimizer(factory.build_learning_rate())
    variable = tf.Variable([1.0, -2.0])
    value, mean, momentum = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for step, gradient in enumerate(([0.5, 1.0], [-0.25, 2.0])):
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
        mean = 0.9 * mean + 0.1 * np.square(gradient)
        rate = 0.006 * 0.97 ** (step / 13)
        momentum = 0.9 * momentum + rate * np.array(gradient) / np.sqrt(mean + 1e-3)
        value = value - momentum
    np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5)
