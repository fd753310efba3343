"""RMSProp starts as TensorFlow 1's or as Keras'."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bignas_tf import errors
from bignas_tf.training import optimisation, parsing
from bignas_tf.training.rmsprop import RMSprop
from bignas_tf.training.task import BigNASTask

SETTINGS = {"rho": 0.9, "momentum": 0.9, "epsilon": 1e-3}
FIELD = "trainer.optimizer_config.optimizer.rmsprop.initial_mean_square"


def _trained(optimizer: object) -> np.ndarray:
    """What three steps of different gradients make of a variable."""
    variable = tf.Variable([1.0, -2.0])
    for gradient in ([0.3, 1e-4], [-0.1, 2.0], [5.0, 0.0]):
        optimizer.apply_gradients([(tf.constant(gradient), variable)])  # type: ignore[attr-defined]
    return variable.numpy()


def test_a_mean_square_of_one_is_tensorflow_1s() -> None:
    expected = _trained(tf.compat.v1.train.RMSPropOptimizer(0.1, 0.9, 0.9, 1e-3))
    found = _trained(RMSprop(1.0, learning_rate=0.1, **SETTINGS))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    other = _trained(RMSprop(learning_rate=0.1, **SETTINGS))
    np.testing.assert_array_equal(
        other, _trained(tf_keras.optimizers.legacy.RMSprop(learning_rate=0.1, **SETTINGS))
    )
    assert np.abs(other - expected).max() > 0.1


def test_a_configuration_says_where_it_starts() -> None:
    for name, start in (("bignas_imagenet", 1.0), ("bignas_small", 0.0)):
        config = parsing.parse(name, [], "")
        optimizer = BigNASTask.create_optimizer(config.trainer.optimizer_config)
        variable = tf.Variable([0.0])
        optimizer._create_all_weights([variable])
        assert optimizer.get_slot(variable, "rms").numpy() == [start]
        assert RMSprop.from_config(optimizer.get_config())._initial_mean_square == start


def test_a_negative_start_is_refused() -> None:
    config = parsing.parse("bignas_small", [], "")
    config.override(
        {"trainer": {"optimizer_config": {"optimizer": {"rmsprop": {"initial_mean_square": -1.0}}}}}
    )
    with pytest.raises(errors.UsageError, match=rf"^{FIELD} is -1.0; it takes 0 or more"):
        optimisation.check(config.trainer)
