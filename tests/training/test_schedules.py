"""The learning rate and the optimiser that the experiment asks for."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from official.modeling.optimization import optimizer_factory

from bignas_tf import errors
from bignas_tf.training import configs, parsing, registry, schedules
from bignas_tf.training.schedules import OptimizationConfig

START, DECAY_STEPS, WARMUP = 0.016, 40, 100


def _factory() -> optimizer_factory.OptimizerFactory:
    config = configs.blank_experiment()
    registry.set_optimisation(config, START, DECAY_STEPS, WARMUP)
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


@pytest.mark.parametrize("name", registry.names())
def test_the_experiments_build_rmsprop_as_efficientnet_has_it(name: str) -> None:
    config = parsing.parse(name, [], "")
    factory = optimizer_factory.OptimizerFactory(config.trainer.optimizer_config)
    schedule = factory.build_learning_rate()
    optimizer = factory.build_optimizer(schedule)
    assert "rmsprop" in type(optimizer).__name__.lower()
    settings = optimizer.get_config()
    assert (settings["rho"], settings["momentum"], settings["epsilon"]) == (0.9, 0.9, 1e-3)
    assert not settings["centered"]
    assert optimizer.learning_rate is schedule


def test_two_updates_equal_rmsprop_with_momentum() -> None:
    config = parsing.parse("bignas_small", [], "trainer.optimizer_config.warmup.type=null")
    factory = optimizer_factory.OptimizerFactory(schedules.for_run(config.trainer))
    optimizer = factory.build_optimizer(factory.build_learning_rate())
    variable = tf.Variable([1.0, -2.0])
    value, mean, momentum = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for step, gradient in enumerate(([0.5, 1.0], [-0.25, 2.0])):
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
        mean = 0.9 * mean + 0.1 * np.square(gradient)
        rate = 0.006 * 0.05 ** (step / 1200)  # 5% after all 1,200 steps
        momentum = 0.9 * momentum + rate * np.array(gradient) / np.sqrt(mean + 1e-3)
        value = value - momentum
    np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5)


def _following(kind: str, steps: int, **settings: float) -> np.ndarray:
    """The rates of the steps 0 to `steps` of a run whose schedule has a length of 0."""
    chosen = {"initial_learning_rate": START, schedules.LENGTHS[kind]: 0, **settings}
    config = configs.blank_experiment()
    config.trainer.train_steps = steps
    config.trainer.optimizer_config.override(
        {
            "optimizer": {"type": "rmsprop"},
            "learning_rate": {"type": kind, kind: chosen},
            "warmup": {"type": None},
        }
    )
    before = config.as_dict()
    optimisation = schedules.for_run(config.trainer)
    # The configuration that a run writes down keeps its 0, so that a longer run can follow it.
    assert config.as_dict() == before
    return _every_rate(optimisation, steps)


def _every_rate(optimisation: OptimizationConfig, steps: int) -> np.ndarray:
    """The rates of the steps 0 to `steps`, from a graph: else 2,000 would take half a minute."""
    rate = optimizer_factory.OptimizerFactory(optimisation).build_learning_rate()

    @tf.function
    def every() -> tf.Tensor:
        numbers = tf.range(steps + 1, dtype=tf.int64)
        return tf.map_fn(rate, numbers, fn_output_signature=tf.float32)

    return every().numpy()


@pytest.mark.parametrize("steps", [40, 300])
def test_a_cosine_of_length_0_ends_with_the_run(steps: int) -> None:
    expected = START * (1 + np.cos(np.pi * np.arange(steps + 1) / steps)) / 2
    np.testing.assert_allclose(_following("cosine", steps), expected, atol=1e-8)


def test_a_polynomial_of_length_0_ends_with_the_run() -> None:
    rates = _following("polynomial", 40, end_learning_rate=0.0, power=1.0)
    np.testing.assert_allclose(rates, START * (1 - np.arange(41) / 40), atol=1e-8)


@pytest.mark.parametrize("steps", [40, 300])
def test_the_paper_s_decay_of_length_0_reaches_its_floor_in_the_last_step(steps: int) -> None:
    rates = _following("constant_ending", steps, decay_rate=0.97, floor=0.05)
    np.testing.assert_allclose(rates, START * 0.05 ** (np.arange(steps + 1) / steps), rtol=1e-4)


def test_a_length_that_is_given_stays_as_it_is() -> None:
    config = configs.blank_experiment()
    registry.set_optimisation(config, START, DECAY_STEPS, WARMUP)
    assert schedules.for_run(config.trainer) is config.trainer.optimizer_config


RATE = "trainer.optimizer_config.learning_rate"


def _all_rates(file: str, override: str) -> np.ndarray:
    """The rates of a file's run, from step 0 to the last."""
    trainer = parsing.parse("bignas_small", [file], override).trainer
    return _every_rate(schedules.for_run(trainer), trainer.train_steps)


def test_the_quickstart_s_rate_is_that_of_its_measured_runs_and_follows_another_length() -> None:
    file = "experiments/fashion_mnist.yaml"
    measured = _all_rates(file, f"{RATE}.cosine.decay_steps=2000")
    assert len(measured) == 2001
    np.testing.assert_array_equal(_all_rates(file, ""), measured)
    # README's run: 0 in its last step, not 85% of the rate.
    assert _all_rates(file, "trainer.train_steps=500")[-1] == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("override", ["", "trainer.train_steps=90"])
def test_the_rate_of_bignas_small_reaches_its_floor_in_the_last_step(override: str) -> None:
    rates = _all_rates("experiments/digits.yaml", override)
    assert rates[-1] == pytest.approx(0.05 * 0.006, rel=1e-4)
    assert rates[-2] > rates[-1]


@pytest.mark.parametrize("steps", [1, 6, 50, 100, 300, 600])
def test_a_run_however_short_has_all_of_its_rate_when_the_warm_up_ends(steps: int) -> None:
    """The decay had begun in step 0: a run of 100 steps reached 22% of its rate."""
    rates = _all_rates("experiments/digits.yaml", f"trainer.train_steps={steps}")
    warmup = min(50, steps // 10)
    assert rates.argmax() == warmup
    assert rates[warmup] == pytest.approx(0.006, rel=1e-5)
    np.testing.assert_allclose(
        rates[:warmup], 0.006 * np.arange(warmup) / max(warmup, 1), rtol=1e-5
    )
    falling = np.arange(steps + 1 - warmup) / (steps - warmup)
    np.testing.assert_allclose(rates[warmup:], 0.006 * 0.05**falling, rtol=1e-4)


def test_a_fall_that_begins_later_than_the_warm_up_ends_keeps_its_offset() -> None:
    rates = _all_rates("experiments/digits.yaml", f"{RATE}.constant_ending.offset=300")
    assert rates[300] == pytest.approx(0.006, rel=1e-5)
    assert rates[450] == pytest.approx(0.006 * 0.05**0.5, rel=1e-4)


def test_a_cosine_in_steps_has_a_rate_at_each_boundary() -> None:
    kind = "step_cosine_with_offset"
    steps = f"{RATE}.{kind}.boundaries=[0,60],{RATE}.{kind}.values=[0.02,0.01]"
    rates = _all_rates(
        "experiments/fashion_mnist.yaml", f"trainer.train_steps=50,{RATE}.type={kind},{steps}"
    )
    assert np.isfinite(rates).all()
    with pytest.raises(errors.UsageError, match=r"boundaries end at step 60, from which .* NaN"):
        _all_rates("experiments/fashion_mnist.yaml", f"{RATE}.type={kind},{steps}")
    later = f"{steps},{RATE}.{kind}.offset=20"  # to step 80
    given = f"{RATE}.type={kind},{later},trainer.train_steps="
    _all_rates("experiments/fashion_mnist.yaml", f"{given}79")
    with pytest.raises(errors.UsageError, match="boundaries end at step 80"):
        _all_rates("experiments/fashion_mnist.yaml", f"{given}80")


def test_a_cosine_of_few_steps_is_not_all_warm_up() -> None:
    """In 50 steps the warm-up of 50 ended where the cosine does, at 0."""
    rates = _all_rates("experiments/fashion_mnist.yaml", "trainer.train_steps=50")
    assert rates.argmax() == 5
    assert rates[5] > 0.9 * 0.007


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (f"{RATE}.constant_ending.initial_learning_rate=-1.0", "is -1.0; it takes a number above"),
        (f"{RATE}.constant_ending.initial_learning_rate=.nan", "is nan; it takes a finite number"),
        (f"{RATE}.constant_ending.decay_steps=-1", "decay_steps is -1; it takes a whole number"),
        (f"{RATE}.constant_ending.floor=1.5", "floor is 1.5; it takes 0 or more"),
        (
            f"{RATE}.type=exponential,{RATE}.exponential.initial_learning_rate=0.1,"
            f"{RATE}.exponential.decay_steps=0,{RATE}.exponential.decay_rate=0.9",
            "this schedule never ends",
        ),
        (
            f"{RATE}.constant_ending.decay_steps=0,{RATE}.constant_ending.floor=0.0",
            "needs a floor above 0",
        ),
        (f"{RATE}.constant_ending.decay_steps=0,{RATE}.constant_ending.offset=1200", "ends at"),
        (f"{RATE}.constant_ending.decay_rate=0", "decay_rate is 0.0; it takes a number above 0"),
        (
            f"{RATE}.type=cosine,{RATE}.cosine.initial_learning_rate=0.1,"
            f"{RATE}.cosine.decay_steps=0,{RATE}.cosine.alpha=-3.0",
            "alpha is -3.0; it takes 0 or more",
        ),
        (
            f"{RATE}.type=polynomial,{RATE}.polynomial.initial_learning_rate=0.1,"
            f"{RATE}.polynomial.decay_steps=0,{RATE}.polynomial.end_learning_rate=-1.0",
            "end_learning_rate is -1.0; it takes 0 or more",
        ),
        ("trainer.optimizer_config.warmup.linear.warmup_steps=-3", "warmup_steps is -3; it takes"),
        ("trainer.optimizer_config.optimizer.rmsprop.epsilon=.inf", "is inf; it takes a finite"),
    ],
)
def test_numbers_that_no_schedule_can_mean_are_refused(overrides: str, words: str) -> None:
    with pytest.raises(errors.UsageError, match=r"trainer\.optimizer_config\.") as caught:
        parsing.parse("bignas_small", [], overrides)
    assert words in str(caught.value)
