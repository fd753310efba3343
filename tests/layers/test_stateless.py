"""Random numbers: uniform, a function of the seed, and the same under XLA."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from bignas_tf.layers import stateless

SHAPE = [50, 101]


def _draw(first: int, second: int, jit_compile: bool = False) -> np.ndarray:
    draw = tf.function(lambda seed: stateless.uniform(SHAPE, seed), jit_compile=jit_compile)
    return draw(tf.constant([first, second])).numpy()


def test_xla_draws_the_same() -> None:
    np.testing.assert_array_equal(_draw(3, 7, jit_compile=True), _draw(3, 7))


def test_draws_are_uniform() -> None:
    draws = _draw(0, 0)
    assert draws.dtype == np.float32
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    # Five standard deviations of the means of 5,050 numbers and their squares.
    assert abs(draws.mean() - 1 / 2) < 5 * np.sqrt(1 / 12 / draws.size)
    assert abs((draws**2).mean() - 1 / 3) < 5 * np.sqrt(4 / 45 / draws.size)


def test_seeds_and_places_differ() -> None:
    draws = np.stack([_draw(0, 0), _draw(1, 0), _draw(0, 1), _draw(0, 0)[::-1]])
    correlations = np.corrcoef(draws.reshape(4, -1))
    # Five standard deviations of the correlation of 5,050 independent pairs.
    assert np.abs(correlations - np.eye(4)).max() < 5 / np.sqrt(draws[0].size)
